import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Keys, PublicJwk, SigningKey } from '../../../runtime/platform/ports.ts'
import { array, integer, minLength, number, object, pipe, string, type Infer } from '../../../runtime/protocol.ts'
import { signDocument, verifyDocument } from '../../../runtime/trust/keys.ts'
import type { EnginePorts } from '../engine.ts'
import type { Authorities } from './book.ts'
import { rootsOf } from './book.ts'

export const rootSetType = 'zw-roots+jws'

const count = pipe(number(), integer())

/** The roots that are to be trusted now. Times are seconds since the epoch, as in a token. */
export const RootSet = object({
  zone: string(),
  /** Grows with every change of the set; who has seen one takes none that is older. */
  version: count,
  /** PEM, oldest first. */
  roots: pipe(array(string()), minLength(1)),
  iat: count,
  notAfter: count,
})
export type RootSet = Infer<typeof RootSet>

const DAY_SECONDS = 86_400
const LIFE_SECONDS = 30 * DAY_SECONDS

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
    if (last && same && iat < last.iat + LIFE_SECONDS / 2) return { document: last.document, version: last.version }
    const version = last === undefined ? 1 : last.roots.join() === ids.join() ? last.version : last.version + 1
    const content: RootSet = { zone, version, roots: roots.map(({ pem }) => pem), iat, notAfter: iat + LIFE_SECONDS }
    const document = signDocument(key, rootSetType, content)
    const guards = [{ key: PATH, modRevision: found?.revision ?? 0 }, authorities.guard(book)]
    const value = { document, version, kid: key.public.kid, roots: ids, iat }
    if (await barrier.commit(guards, [{ path: PATH, value }])) return { document, version }
  }
  throw new Overloaded(`The roots change too often; attempts: ${limits.vaultTransactionAttempts}`)
}

export type RootSetVerdict =
  | { readonly accepted: true; readonly set: RootSet }
  | { readonly accepted: false; readonly why: string }

/** For who trusts the anchor, and has seen no set that is newer than `versionMin`. */
export function readRootSet(
  keys: Keys, document: string,
  { zone, anchor, now, versionMin = 0 }: { zone: string; anchor: PublicJwk; now: number; versionMin?: number },
): RootSetVerdict {
  const verdict = verifyDocument(keys, document, { typ: rootSetType, schema: RootSet, key: anchor })
  if (!verdict.accepted) return { accepted: false, why: verdict.denial.detail }
  const { payload: set } = verdict
  const seconds = Math.floor(now / 1_000)
  const why = set.zone !== zone ? `it is of another zone: ${set.zone}`
    : set.version < versionMin ? `a newer one is known: ${set.version}, not ${versionMin}`
    : set.notAfter <= seconds ? 'it has ended'
    : set.notAfter - set.iat > LIFE_SECONDS ? 'it is for longer than such a set may be'
    : undefined
  return why === undefined ? { accepted: true, set } : { accepted: false, why }
}
