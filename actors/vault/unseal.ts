import { fromBase64url } from '../../runtime/trust/base64url.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Aead, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Entry, Operation, Store } from '../../runtime/store/store.ts'
import { readJson } from './json.ts'
import { keyBytes, keyringPath, unwrapKeyring, type Keyring } from './keyring.ts'
import { VaultDamaged, VaultSealed } from './protocol.ts'
import { damaged, openRecord, sealRecord, wrapTerm } from './record.ts'
import { hasKeyId, keyId, SealConfig, sealConfigPath } from './seal-config.ts'
import { combine } from './shamir.ts'

/** The root key, under the auto-unseal key. */
export const autoUnsealPath = 'core/unseal/auto'

/** What the start message may hold for the vault, each as base64url. */
export interface UnsealSecrets {
  /** 32 bytes: the contents of the auto-unseal key file. */
  readonly 'unseal-key'?: string
  /** Shares with white space between; with them a lost key file is replaced by the one given here. */
  readonly 'recovery-shares'?: string
}

export interface SealedVault { readonly store: Store; readonly keys: Keys; readonly random: Random }

/** A keyring, and what it takes to write it again. */
export interface OpenedKeyring {
  readonly keyring: Keyring
  /** Of its entry. */
  readonly revision: number
  /** By the root key: wraps the keyring. */
  readonly root: Aead
  readonly rootKeyId: string
}

/** @throws VaultSealed when no key fits; VaultDamaged when the key fits and what it opens does not */
export async function unseal(vault: SealedVault, secrets: UnsealSecrets): Promise<OpenedKeyring> {
  for (let attempt = 0; ; attempt++) {
    const { config, entry } = await readSeal(vault.store)
    try {
      return await unsealBy(vault, secrets, config, entry)
    } catch (error) {
      if (!(error instanceof VaultDamaged)) throw error
      // A rekey between two of the reads looks like it
      const now = await vault.store.get(sealConfigPath)
      const isStill = now?.modRevision === entry.modRevision
      if (isStill || attempt >= limits.vaultTransactionAttempts) throw error
    }
  }
}

async function unsealBy(
  vault: SealedVault, secrets: UnsealSecrets, config: SealConfig, entry: Entry,
): Promise<OpenedKeyring> {
  const shares = secrets['recovery-shares']
  const rootKey = shares === undefined
    ? await rootFromKeyFile(vault, config, readUnsealKey(secrets))
    : rootFromShares(vault.keys, config, shares)
  const opened = await openKeyring(vault, config, rootKey)
  if (shares !== undefined) await replaceUnsealKey(vault, config, entry, rootKey, readUnsealKey(secrets))
  rootKey.fill(0)
  return opened
}

/** @throws VaultDamaged when it is missing */
export async function readSeal(store: Store): Promise<{ readonly config: SealConfig; readonly entry: Entry }> {
  const entry = await store.get(sealConfigPath)
  if (entry === undefined) throw damaged(sealConfigPath, 'it is missing from a store that is not empty')
  return { config: readJson(SealConfig, sealConfigPath, entry.value), entry }
}

/** By a root key that was found to be the right one. @throws VaultDamaged */
export async function openKeyring(
  { store, keys }: SealedVault, config: SealConfig, rootKey: Uint8Array,
): Promise<OpenedKeyring> {
  const record = await store.get(keyringPath)
  if (record === undefined) throw damaged(keyringPath, 'it is missing')
  const root = keys.aead(rootKey)
  const keyring = unwrapKeyring(record.value, root)
  const { vaultId, threshold, rootKeyId } = config
  if (keyring.vaultId !== vaultId || keyring.shares !== config.shares || keyring.threshold !== threshold) {
    throw damaged(sealConfigPath, 'it does not agree with the keyring')
  }
  return { keyring, revision: record.modRevision, root, rootKeyId }
}

/** @throws VaultSealed */
export function readUnsealKey(secrets: UnsealSecrets): Uint8Array {
  const text = secrets['unseal-key']
  if (text === undefined || text === '') {
    throw new VaultSealed('The vault was given no unseal key; put unseal.key back')
  }
  const key = fromText(text, 'The unseal key')
  if (key.length !== keyBytes) throw new VaultSealed(`The unseal key must have ${keyBytes} bytes: ${key.length}`)
  return key
}

export const autoUnsealRecord = (
  rootKey: Uint8Array, unsealKey: Uint8Array, vaultId: string, { keys, random }: Omit<SealedVault, 'store'>,
): Uint8Array => {
  const key = { term: wrapTerm, aead: wrapping(unsealKey, vaultId, keys) }
  return sealRecord(key, random, autoUnsealPath, rootKey)
}

async function rootFromKeyFile(
  { store, keys }: SealedVault, config: SealConfig, unsealKey: Uint8Array,
): Promise<Uint8Array> {
  if (!hasKeyId('unseal', unsealKey, config, keys)) {
    throw new VaultSealed(
      'The unseal key is not the one of this vault; put its unseal.key back: '
        + config.vaultId,
    )
  }
  const record = await store.get(autoUnsealPath)
  if (record === undefined) throw damaged(autoUnsealPath, 'it is missing')
  const aead = wrapping(unsealKey, config.vaultId, keys)
  unsealKey.fill(0)
  return openRecord(autoUnsealPath, record.value, (term) => (term === wrapTerm ? aead : undefined))
}

function rootFromShares(keys: Keys, config: SealConfig, text: string): Uint8Array {
  const shares = text.split(/\s+/).filter(Boolean).map((share) => fromText(share, 'A recovery share'))
  if (shares.length < config.threshold) {
    throw new VaultSealed(`Too few recovery shares; ${config.threshold} are needed: ${shares.length}`)
  }
  let rootKey: Uint8Array
  try {
    rootKey = combine(shares)
  } catch (error) {
    const reason = error instanceof ZonewrightError ? error.message : 'they cannot be read'
    throw new VaultSealed(`The recovery shares do not fit together: ${reason}`)
  }
  if (!hasKeyId('root', rootKey, config, keys)) {
    throw new VaultSealed(`The recovery shares are not those of this vault: ${config.vaultId}`)
  }
  for (const share of shares) share.fill(0)
  return rootKey
}

/** From now on the vault opens by the key file that the shares came with. */
async function replaceUnsealKey(
  vault: SealedVault, config: SealConfig, configEntry: Entry, rootKey: Uint8Array, unsealKey: Uint8Array,
): Promise<void> {
  const unsealKeyId = keyId('unseal', unsealKey, config.vaultId, vault.keys)
  const operations: Operation[] = [
    { type: 'put', key: sealConfigPath, value: new TextEncoder().encode(JSON.stringify({ ...config, unsealKeyId })) },
    { type: 'put', key: autoUnsealPath, value: autoUnsealRecord(rootKey, unsealKey, config.vaultId, vault) },
  ]
  unsealKey.fill(0)
  const guard = { key: sealConfigPath, modRevision: configEntry.modRevision }
  const { succeeded } = await vault.store.transact([guard], operations)
  if (!succeeded) throw new VaultSealed('Another start changed the seal of this vault at the same time; start again')
}

/** Bound to the vault, so that one key file in two zones gives two wrapping keys. */
function wrapping(unsealKey: Uint8Array, vaultId: string, keys: Keys): Aead {
  const key = keys.derive(unsealKey, new TextEncoder().encode(vaultId), 'zonewright vault auto-unseal', keyBytes)
  const aead = keys.aead(key)
  key.fill(0)
  return aead
}

function fromText(text: string, what: string): Uint8Array {
  const bytes = fromBase64url(text)
  if (bytes === undefined) throw new VaultSealed(`${what} is not base64url`)
  return bytes
}
