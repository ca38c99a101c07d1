import type { Agreement, Keys, Random } from '../runtime/platform/ports.ts'
import { object, maxLength, pipe, string, type Infer } from '../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'

/** The unseal key of the vault on its way to an OOD that joins: nobody on the way can open it. */

const Short = pipe(string(), maxLength(256))

export const SealedUnsealKey = object({
  /** Thumbprint of the device key of the OOD that sealed it. */
  from: Short,
  /** X25519 public key that was made for this one box. */
  key: Short,
  /** Nonce, then ciphertext with its tag. */
  box: Short,
})
export type SealedUnsealKey = Infer<typeof SealedUnsealKey>

export interface SealedBetween {
  readonly zone: string
  readonly host: string
  /** Thumbprints of device keys. */
  readonly from: string
  readonly to: string
}

const LABEL = 'zonewright unseal key to an OOD that joins 1'
export const AGREEMENT_BYTES = 32
const NONCE_BYTES = 12
const encoder = new TextEncoder()

/** HKDF over the agreement, salted with both X25519 keys; who it is from and for is authenticated beside it. */
function boxOf(keys: Keys, secret: Uint8Array, ends: readonly [ephemeral: Uint8Array, receiver: Uint8Array]) {
  const salt = new Uint8Array(2 * AGREEMENT_BYTES)
  salt.set(ends[0])
  salt.set(ends[1], AGREEMENT_BYTES)
  const key = keys.derive(secret, salt, LABEL, 32)
  const aead = keys.aead(key)
  key.fill(0)
  secret.fill(0)
  return aead
}

const additional = ({ zone, host, from, to }: SealedBetween): Uint8Array =>
  encoder.encode([LABEL, zone, host, from, to].join('\n'))

/** @throws Denied when the receiver's key is none that agrees */
export function sealUnsealKey(
  { keys, random }: { readonly keys: Keys; readonly random: Random }, unsealKey: string, receiver: Uint8Array,
  between: SealedBetween,
): SealedUnsealKey {
  const own = keys.agreement(random)
  const aead = boxOf(keys, own.agree(receiver), [own.publicKey, receiver])
  const nonce = random.bytes(NONCE_BYTES)
  const ciphertext = aead.seal(nonce, encoder.encode(unsealKey), additional(between))
  const box = new Uint8Array(NONCE_BYTES + ciphertext.length)
  box.set(nonce)
  box.set(ciphertext, NONCE_BYTES)
  return { from: between.from, key: toBase64url(own.publicKey), box: toBase64url(box) }
}

/** Undefined where it is not for this key, host and zone, or not as it was sealed. @throws Denied as `agree` does */
export function openUnsealKey(
  keys: Keys, sealed: SealedUnsealKey, own: Agreement, between: Omit<SealedBetween, 'from'>,
): string | undefined {
  const [theirs, box] = [fromBase64url(sealed.key), fromBase64url(sealed.box)]
  if (theirs?.length !== AGREEMENT_BYTES || !box || box.length <= NONCE_BYTES) return undefined
  const aead = boxOf(keys, own.agree(theirs), [theirs, own.publicKey])
  const opened = aead.open(
    box.subarray(0, NONCE_BYTES), box.subarray(NONCE_BYTES), additional({ ...between, from: sealed.from }))
  return opened && new TextDecoder().decode(opened)
}
