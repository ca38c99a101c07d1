import { mayCrash } from '../../runtime/fault-points.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { createKeyring, keyBytes, keyringPath, wrapKeyring, type Keyring } from './keyring.ts'
import { ZoneStoreMismatch } from '../system-config/protocol.ts'
import { keyId, sealConfigPath, type SealConfig } from './seal-config.ts'
import { split } from './shamir.ts'
import { autoUnsealPath, autoUnsealRecord, readUnsealKey, unseal, type UnsealSecrets } from './unseal.ts'

const recovery = { shares: 5, threshold: 3 }

export interface OpenedVault {
  readonly keyring: Keyring
  /** Shares of the root key, when this start initialised the vault; they are nowhere else. */
  readonly shares: readonly string[] | undefined
}

interface VaultPorts { readonly store: Store; readonly keys: Keys; readonly random: Random; readonly clock: Clock }

/**
 * Opens the vault of this store, or makes one when the store is empty. Of two that make one at the same time, one
 * wins the transaction and the other opens the winner's. A host that has booted its zone had a vault: a new one would
 * put its shares over those of the vault that is missing.
 * @throws VaultSealed, VaultDamaged, ZoneStoreMismatch
 */
export async function openVault(
  ports: VaultPorts, secrets: UnsealSecrets, { booted = false }: { readonly booted?: boolean } = {},
): Promise<OpenedVault> {
  const { entries } = await ports.store.list('', { limit: 1 })
  if (entries.length === 0 && booted) throw new ZoneStoreMismatch('This host has booted a zone, but its vault is empty')
  const made = entries.length === 0 ? await initialise(ports, readUnsealKey(secrets)) : undefined
  return made ?? { keyring: await unseal(ports, secrets), shares: undefined }
}

/** Undefined when another was faster. */
async function initialise(ports: VaultPorts, unsealKey: Uint8Array): Promise<OpenedVault | undefined> {
  const { store, keys, random, clock } = ports
  const vaultId = toBase64url(random.bytes(16))
  const rootKey = random.bytes(keyBytes)
  const keyring = createKeyring({ vaultId, ...recovery }, random, clock)
  const config: SealConfig = {
    format: 1, vaultId, ...recovery,
    rootKeyId: keyId('root', rootKey, vaultId, keys),
    unsealKeyId: keyId('unseal', unsealKey, vaultId, keys),
  }
  const operations: Operation[] = [
    { type: 'put', key: sealConfigPath, value: new TextEncoder().encode(JSON.stringify(config)) },
    { type: 'put', key: autoUnsealPath, value: autoUnsealRecord(rootKey, unsealKey, vaultId, ports) },
    { type: 'put', key: keyringPath, value: wrapKeyring(keyring, rootKey, keys, random) },
  ]
  const shares = split(rootKey, recovery.shares, recovery.threshold, random)
  rootKey.fill(0)
  unsealKey.fill(0)
  const { succeeded } = await store.transact(operations.map(({ key }) => ({ key, modRevision: 0 })), operations)
  mayCrash('vault/initialised')
  const texts = shares.map(toBase64url)
  for (const share of shares) share.fill(0)
  return succeeded ? { keyring, shares: texts } : undefined
}
