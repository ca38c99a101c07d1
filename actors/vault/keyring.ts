import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import type { Aead, Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import { array, integer, minValue, number, object, pipe, string, type Infer } from '../../runtime/protocol.ts'
import { readJson } from './json.ts'
import { damaged, openRecord, sealRecord, wrapTerm } from './record.ts'

export const keyringPath = 'core/keyring'
export const keyBytes = 32

/** Newest last. The seal's figures are repeated here because here they are authenticated. */
const Keyring = object({
  vaultId: string(),
  shares: pipe(number(), integer()),
  threshold: pipe(number(), integer()),
  keys: array(object({
    term: pipe(number(), integer(), minValue(1)),
    key: string(),
    /** Epoch milliseconds. */
    installedAt: number(),
  })),
})
export type Keyring = Infer<typeof Keyring>

/** The keys of the barrier: records are sealed under the newest term and opened under the term they name. */
export interface Terms {
  readonly current: { readonly term: number; readonly aead: Aead }
  aeadOf(term: number): Aead | undefined
  /** Looks whether the store has newer ones. @throws VaultDamaged, VaultSealed */
  refresh?(): Promise<void>
}

export function createKeyring(
  seal: { vaultId: string; shares: number; threshold: number }, random: Random, clock: Clock,
): Keyring {
  const key = random.bytes(keyBytes)
  const keyring = { ...seal, keys: [{ term: 1, key: toBase64url(key), installedAt: clock.now() }] }
  key.fill(0)
  return keyring
}

/** With a key of the next term. */
export function withNextTerm(keyring: Keyring, random: Random, clock: Clock): Keyring {
  const key = random.bytes(keyBytes)
  const term = Math.max(...keyring.keys.map((each) => each.term)) + 1
  const next = { ...keyring, keys: [...keyring.keys, { term, key: toBase64url(key), installedAt: clock.now() }] }
  key.fill(0)
  return next
}

/** `root` is the AEAD of the root key. */
export function wrapKeyring(keyring: Keyring, root: Aead, random: Random): Uint8Array {
  const plaintext = new TextEncoder().encode(JSON.stringify(keyring))
  const record = sealRecord({ term: wrapTerm, aead: root }, random, keyringPath, plaintext)
  plaintext.fill(0)
  return record
}

/** @throws VaultDamaged */
export function unwrapKeyring(record: Uint8Array, root: Aead): Keyring {
  const plaintext = openRecord(keyringPath, record, (term) => (term === wrapTerm ? root : undefined))
  const keyring = readJson(Keyring, keyringPath, plaintext)
  plaintext.fill(0)
  return keyring
}

/** @throws VaultDamaged */
export function termsOf(keyring: Keyring, keys: Keys): Terms {
  const aeads = new Map<number, Aead>()
  let current: Terms['current'] | undefined
  for (const { term, key } of keyring.keys) {
    const bytes = fromBase64url(key)
    if (bytes?.length !== keyBytes) throw damaged(keyringPath, `the key of a term has the wrong length: ${term}`)
    const aead = keys.aead(bytes)
    bytes.fill(0)
    aeads.set(term, aead)
    current = { term, aead }
  }
  if (current === undefined) throw damaged(keyringPath, 'it holds no key')
  return { current, aeadOf: (term) => aeads.get(term) }
}
