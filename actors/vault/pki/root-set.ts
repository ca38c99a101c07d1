import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { SigningKey } from '../../../runtime/platform/ports.ts'
import { array, integer, number, object, pipe, string } from '../../../runtime/protocol.ts'
import { signDocument } from '../../../runtime/trust/keys.ts'
import { rootSetSeconds, rootSetType, type RootSet } from '../../root-set.ts'
import type { EnginePorts } from '../engine.ts'
import type { Authorities } from './book.ts'
import { rootsOf } from './book.ts'

const count = pipe(number(), integer())

const Stored = object({
  document: string(), version: count, kid: string(),
  /** Ids of its roots. */
  roots: array(string()),
  iat: count,
})
const PATH = 'roots'

export interface Roots {
  readonly document: string
  readonly version: number
}

export interface RootSetPorts {
  readonly zone: string
  readonly ports: EnginePorts
  readonly authorities: Authorities
  /** The key that signs it: the vault's named key `anchor`. */
  readonly anchor: () => Promise<SigningKey>
}

/** The document as it is now: made anew when the set, or the anchor, is another, and at half of its life. */
export async function rootSet({ zone, ports, authorities, anchor }: RootSetPorts): Promise<Roots> {
  const { barrier, clock } = ports
  for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
    const [book, key] = await Promise.all([authorities.fresh(), anchor()])
    const found = await barrier.read(PATH, Stored)
    const roots = rootsOf(book.authorities)
    const ids = roots.map(({ id }) => id)
    const iat = Math.floor(clock.now() / 1_000)
    const last = found?.value
    const same = last?.kid === key.public.kid && last.roots.join() === ids.join()
    if (last && same && iat < last.iat + rootSetSeconds / 2) return { document: last.document, version: last.version }
    const version = last === undefined ? 1 : last.roots.join() === ids.join() ? last.version : last.version + 1
    const content: RootSet = { zone, version, roots: roots.map(({ pem }) => pem), iat, notAfter: iat + rootSetSeconds }
    const document = signDocument(key, rootSetType, content)
    const guards = [{ key: PATH, modRevision: found?.revision ?? 0 }, authorities.guard(book)]
    const value = { document, version, kid: key.public.kid, roots: ids, iat }
    if (await barrier.commit(guards, [{ path: PATH, value }])) return { document, version }
  }
  throw new Overloaded(`The roots change too often; attempts: ${limits.vaultTransactionAttempts}`)
}
