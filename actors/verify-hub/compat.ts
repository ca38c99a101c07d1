import type { Keys } from '../../runtime/platform/ports.ts'
import { limits } from '../../runtime/limits.ts'

/**
 * How the originals' clients log in: they send base64(SHA-256(V + decimal(nonce))), where V is
 * base64(SHA-256(password + user name + ".buckyos")). Whoever knows V can do that too: it is as good as the password.
 */

const utf8 = new TextEncoder()
/** The originals' `.buckyos` is part of the protocol. */
const DOMAIN = '.buckyos'

const digest = (keys: Keys, text: string): string => base64(keys.hash(utf8.encode(text)))

/** V of a user. */
export const compatVerifier = (keys: Keys, username: string, password: string): string =>
  digest(keys, password + username + DOMAIN)

/** In constant time of what may be right. */
export const wireMatches = (keys: Keys, verifier: string, offered: string, nonce: number): boolean =>
  keys.equal(utf8.encode(digest(keys, `${verifier}${nonce}`)), utf8.encode(offered))

/** A client that names no nonce means the number of its envelope, which some count in microseconds. */
export const nonceOf = (nonce: number | undefined, sequence: number | undefined): number =>
  nonce ?? (sequence === undefined ? 0 : sequence > 1e13 ? Math.floor(sequence / 1000) : sequence)

/** Epoch milliseconds of the client's clock. */
export const isNonceOfNow = (nonce: number, nowMs: number): boolean =>
  Math.abs(nowMs - nonce) <= limits.compatNonceMs

function base64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
