import { limits } from '../../runtime/limits.ts'
import type { Aead, Random } from '../../runtime/platform/ports.ts'
import { VaultDamaged } from './protocol.ts'

/**
 * One encrypted entry, laid out as HashiCorp Vault's version 2: key term (4 bytes, big-endian), version (1 byte),
 * nonce (12 bytes), ciphertext, tag (16 bytes). The additional data is the storage path, so that an entry opens only
 * where it was written.
 */
const VERSION = 2
const VERSION_AT = 4
const NONCE_AT = 5
const CIPHERTEXT_AT = 17
const NONCE_BYTES = CIPHERTEXT_AT - NONCE_AT
const TAG_BYTES = 16

/** Term of records that the root key or the auto-unseal key protects; terms of the keyring start at 1. */
export const wrapTerm = 0

const encoder = new TextEncoder()
/** No key of a store is longer. An AEAD reads its additional data at once, so that one buffer does for all paths. */
const scratch = new Uint8Array(limits.keyBytes)

/** The path, until the next call. */
function additionalOf(path: string): Uint8Array {
  const { read, written } = encoder.encodeInto(path, scratch)
  return read === path.length ? scratch.subarray(0, written) : encoder.encode(path)
}

export function sealRecord(
  key: { readonly term: number; readonly aead: Aead }, random: Nonces, path: string, plaintext: Uint8Array,
): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES)
  const record = key.aead.seal(nonce, plaintext, additionalOf(path), CIPHERTEXT_AT)
  const { term } = key
  record[0] = term >>> 24
  record[1] = term >>> 16
  record[2] = term >>> 8
  record[3] = term
  record[VERSION_AT] = VERSION
  record.set(nonce, NONCE_AT)
  return record
}

/** Where a record takes its nonce from: random bytes. */
export type Nonces = Pick<Random, 'bytes'>

/** The same, drawn for many records at once: the system's generator costs as much for one as for a hundred. */
export function pooledNonces(random: Random): Nonces {
  let pool: Uint8Array = new Uint8Array()
  let at = 0
  return {
    bytes(length) {
      if (at + length > pool.length) {
        pool = random.bytes(NONCE_BYTES * 128)
        at = 0
      }
      at += length
      return pool.subarray(at - length, at)
    },
  }
}

/** Of the key that the record names; 0 where it is too short to name one. */
export const termOf = (record: Uint8Array): number => (record.length < VERSION_AT ? wrapTerm
  : ((record[0]! << 24) | (record[1]! << 16) | (record[2]! << 8) | record[3]!) >>> 0)

/** @throws VaultDamaged naming the path, when the record was changed, moved, cut, or is of a key that is not there */
export function openRecord(path: string, record: Uint8Array, aeadOf: (term: number) => Aead | undefined): Uint8Array {
  if (record.length < CIPHERTEXT_AT + TAG_BYTES) throw damaged(path, `it has only ${record.length} bytes`)
  if (record[VERSION_AT] !== VERSION) throw damaged(path, `its version is unknown: ${record[VERSION_AT]}`)
  const term = termOf(record)
  const aead = aeadOf(term)
  if (aead === undefined) throw damaged(path, `the keyring has no key of its term: ${term}`)
  const plaintext = aead.open(
    record.subarray(NONCE_AT, CIPHERTEXT_AT), record.subarray(CIPHERTEXT_AT), additionalOf(path),
  )
  if (plaintext === undefined) throw damaged(path, 'it was changed or moved since it was written')
  return plaintext
}

export function damaged(path: string, reason: string): InstanceType<typeof VaultDamaged> {
  return new VaultDamaged(`The vault entry is damaged, ${reason}: ${path}`, { path, reason })
}
