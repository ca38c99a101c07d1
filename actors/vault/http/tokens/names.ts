import type { Keys, Random } from '../../../../runtime/platform/ports.ts'
import { object, string } from '../../../../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../../../../runtime/trust/base64url.ts'
import type { Barrier } from '../../barrier.ts'
import { damaged } from '../../record.ts'
import { saltPath } from './record.ts'

const SALT_BYTES = 32
const NAME_BYTES = 16
/** 192 bits. The prefix is the one that those who look for lost secrets know. */
const TOKEN_BYTES = 24
const TOKEN_PREFIX = 'hvs.'
export const TOKEN_CHARACTERS = TOKEN_PREFIX.length + TOKEN_BYTES / 3 * 4
const ACCESSOR_BYTES = 18
/** What a caller may choose, and what is looked up at all. */
const SHAPE = /^[A-Za-z0-9._-]{8,255}$/

const Salt = object({ salt: string() })

/** Where a token is found, and what shows that it is that one. */
export interface Digest {
  readonly name: string
  readonly verifier: string
}

/** Digests of tokens and accessors by a key that only the barrier holds: who reads the store can try none of them. */
export interface TokenNames {
  newToken(): string
  newAccessor(): string
  isToken(text: string): boolean
  digest(token: string): Digest
  isVerified(left: Digest, right: Pick<Digest, 'verifier'>): boolean
  accessor(accessor: string): string
}

/** @throws VaultDamaged */
export async function openTokenNames({ barrier, keys, random }: {
  readonly barrier: Barrier; readonly keys: Keys; readonly random: Random
}): Promise<TokenNames> {
  const salt = await saltOf(barrier, random)
  const encoder = new TextEncoder()
  const digestOf = (text: string, what: string): Uint8Array =>
    keys.derive(encoder.encode(text), salt, `zonewright vault ${what}`, 2 * NAME_BYTES)
  return {
    newToken: () => TOKEN_PREFIX + toBase64url(random.bytes(TOKEN_BYTES)),
    newAccessor: () => toBase64url(random.bytes(ACCESSOR_BYTES)),
    isToken: (text) => SHAPE.test(text),
    digest(token) {
      const bytes = digestOf(token, 'token')
      return {
        name: toBase64url(bytes.subarray(0, NAME_BYTES)), verifier: toBase64url(bytes.subarray(NAME_BYTES)),
      }
    },
    isVerified: (left, right) => keys.equal(encoder.encode(left.verifier), encoder.encode(right.verifier)),
    accessor: (accessor) => toBase64url(digestOf(accessor, 'accessor').subarray(0, NAME_BYTES)),
  }
}

async function saltOf(barrier: Barrier, random: Random): Promise<Uint8Array> {
  const guard = { key: saltPath, modRevision: 0 }
  const kept = await barrier.read(saltPath, Salt)
  if (kept === undefined) {
    await barrier.commit([guard], [{ path: saltPath, value: { salt: toBase64url(random.bytes(SALT_BYTES)) } }])
  }
  // Another vault on the same store may have been faster
  const found = kept ?? await barrier.read(saltPath, Salt)
  const salt = found && fromBase64url(found.value.salt)
  if (salt?.length !== SALT_BYTES) throw damaged(saltPath, 'it is no salt')
  return salt
}
