import { InvalidArgument } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { createKeyring, keyBytes, keyringPath, wrapKeyring } from './keyring.ts'
import { ZoneStoreMismatch } from '../system-config/protocol.ts'
import { keyId, sealConfigPath, type SealConfig } from './seal-config.ts'
import { split } from './shamir.ts'
import { autoUnsealPath, autoUnsealRecord, readUnsealKey, unseal, type OpenedKeyring, type UnsealSecrets } from './unseal.ts'

const recovery = { shares: 5, threshold: 3 }

export interface OpenedVault extends OpenedKeyring {
  /** Shares of the root key, when this start initialised the vault; they are nowhere else. */
  readonly shares: readonly string[] | undefined
}

export interface VaultPorts { readonly store: Store; readonly keys: Keys; readonly random: Random; readonly clock: Clock }

/** Into how many shares the root key is split, and how many of them give it. */
export interface Split { readonly shares: number; readonly threshold: number }

/**
 * Opens the vault of this store, or makes one when the store is empty. Of two that make one at the same time, one
 * wins the transaction and the other opens the winner's. A host that has booted its zone had a vault: a new one would
 * put its shares over those of the vault that is missing.
 * @throws VaultSealed, VaultDamaged, ZoneStoreMismatch
 */
export async function openVault(
  ports: VaultPorts, secrets: UnsealSecrets, { booted = false }: { readonly booted?: boolean } = {},
): Promise<OpenedVault> {
  const isEmpty = await isUninitialised(ports.store)
  if (isEmpty && booted) throw new ZoneStoreMismatch('This host has booted a zone, but its vault is empty')
  const made = isEmpty ? await initialise(ports, recovery, readUnsealKey(secrets)) : undefined
  if (made) return { ...made, shares: made.shares.map(toBase64url) }
  return { ...await unseal(ports, secrets), shares: undefined }
}

/** Whether there is nothing at all. A store with anything in it has a vault, or had one. */
export async function isUninitialised(store: Store): Promise<boolean> {
  const { entries } = await store.list('', { limit: 1, keysOnly: true })
  return entries.length === 0
}

/**
 * Makes a vault, whole or not at all; undefined when another was faster. Without an unseal key it is opened by shares
 * alone.
 * @throws InvalidArgument when the root key cannot be split that way
 */
export async function initialise(
  ports: VaultPorts, how: Split, unsealKey: Uint8Array | undefined,
): Promise<(OpenedKeyring & { readonly shares: readonly Uint8Array[] }) | undefined> {
  const { store, keys, random, clock } = ports
  const vaultId = toBase64url(random.bytes(16))
  const rootKey = random.bytes(keyBytes)
  const keyring = createKeyring({ vaultId, ...how }, random, clock)
  const root = keys.aead(rootKey)
  const rootKeyId = keyId('root', rootKey, vaultId, keys)
  const config: SealConfig = {
    format: 1, vaultId, ...how, rootKeyId,
    unsealKeyId: unsealKey ? keyId('unseal', unsealKey, vaultId, keys) : '',
  }
  const operations: Operation[] = [
    { type: 'put', key: sealConfigPath, value: new TextEncoder().encode(JSON.stringify(config)) },
    ...(unsealKey
      ? [{ type: 'put', key: autoUnsealPath, value: autoUnsealRecord(rootKey, unsealKey, vaultId, ports) } as const]
      : []),
    { type: 'put', key: keyringPath, value: wrapKeyring(keyring, root, random) },
  ]
  const shares = sharesOf(rootKey, how, random)
  rootKey.fill(0)
  unsealKey?.fill(0)
  const { succeeded, revision } = await store.transact(
    operations.map(({ key }) => ({ key, modRevision: 0 })), operations,
  )
  mayCrash('vault/initialised')
  return succeeded ? { keyring, revision, root, rootKeyId, shares } : undefined
}

/**
 * As Vault does it: a vault with one share has the root key itself for it, since there is nothing to combine. Several
 * shares of which one is enough would be as many copies of the root key, and are refused.
 * @throws InvalidArgument
 */
export function sharesOf(rootKey: Uint8Array, { shares, threshold }: Split, random: Random): readonly Uint8Array[] {
  // A copy: `slice` of a Buffer is none
  if (shares === 1 && threshold === 1) return [Uint8Array.from(rootKey)]
  if (threshold === 1) throw new InvalidArgument('With several shares at least two of them must be needed')
  return split(rootKey, shares, threshold, random)
}
