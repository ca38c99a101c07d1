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
const TAG_BYTES = 16

/** Term of records that the root key or the auto-unseal key protects; terms of the keyring start at 1. */
export const wrapTerm = 0

const encoder = new TextEncoder()

export function sealRecord(
  key: { readonly term: number; readonly aead: Aead }, random: Random, path: string, plaintext: Uint8Array,
): Uint8Array {
  const nonce = random.bytes(CIPHERTEXT_AT - NONCE_AT)
  const sealed = key.aead.seal(nonce, plaintext, encoder.encode(path))
  const record = new Uint8Array(CIPHERTEXT_AT + sealed.length)
  new DataView(record.buffer).setUint32(0, key.term)
  record[VERSION_AT] = VERSION
  record.set(nonce, NONCE_AT)
  record.set(sealed, CIPHERTEXT_AT)
  return record
}

/** Of the key that the record names; 0 where it is too short to name one. */
export const termOf = (record: Uint8Array): number =>
  (record.length < VERSION_AT ? wrapTerm : new DataView(record.buffer, record.byteOffset).getUint32(0))

/** @throws VaultDamaged naming the path, when the record was changed, moved, cut, or is of a key that is not there */
export function openRecord(path: string, record: Uint8Array, aeadOf: (term: number) => Aead | undefined): Uint8Array {
  if (record.length < CIPHERTEXT_AT + TAG_BYTES) throw damaged(path, `it has only ${record.length} bytes`)
  if (record[VERSION_AT] !== VERSION) throw damaged(path, `its version is unknown: ${record[VERSION_AT]}`)
  const term = new DataView(record.buffer, record.byteOffset).getUint32(0)
  const aead = aeadOf(term)
  if (aead === undefined) throw damaged(path, `the keyring has no key of its term: ${term}`)
  const plaintext = aead.open(
    record.subarray(NONCE_AT, CIPHERTEXT_AT), record.subarray(CIPHERTEXT_AT), encoder.encode(path),
  )
  if (plaintext === undefined) throw damaged(path, 'it was changed or moved since it was written')
  return plaintext
}

export function damaged(path: string, reason: string): InstanceType<typeof VaultDamaged> {
  return new VaultDamaged(`The vault entry is damaged, ${reason}: ${path}`, { path, reason })
}
