import type { Keys, PublicJwk } from '../runtime/platform/ports.ts'
import { array, integer, minLength, number, object, pipe, string, type Infer } from '../runtime/protocol.ts'
import { verifyDocument } from '../runtime/trust/keys.ts'

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

/** Of such a set, from `iat` to `notAfter`, at most. */
export const rootSetSeconds = 30 * 86_400

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
    : set.notAfter - set.iat > rootSetSeconds ? 'it is for longer than such a set may be'
    : undefined
  return why === undefined ? { accepted: true, set } : { accepted: false, why }
}
