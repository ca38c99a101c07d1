import type { Infer } from '../../runtime/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import type { Authority as AuthorityOf } from '../vault/protocol.ts'

export type Authority = Infer<typeof AuthorityOf>
export type Step = 'prepare' | 'activate' | 'taint' | 'revoke'

/** Since when everybody can know that an authority is in this state: epoch milliseconds of the published root set. */
export interface Told {
  readonly state: Authority['state']
  readonly since: number
}

export interface Due {
  readonly step: Step
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
}

export interface Rotation {
  /** Of one mount, newest last. */
  readonly authorities: readonly Authority[]
  readonly told: ReadonlyMap<string, Told>
  /** When the last certificate by this authority ends, of those that are not revoked; 0 where there is none. */
  readonly lastEnds: (id: string) => number
  /** Epoch milliseconds. */
  readonly now: number
}

/**
 * Parts of its life after which an authority is to be replaced, so early that a zone which is off for years finds one
 * that lives, and below which it is warned of what is left.
 */
export const share = { replaced: 0.5, warned: 1 / 3, urgent: 0.1 } as const

const kinds = ['root', 'intermediate'] as const

/**
 * The next step of a mount's rotation and when it is due: replace before it matters, and take each step only when all
 * who go by the one before can have heard of it. Nobody is cut off: a new root signs when everybody trusts it, an old
 * one goes when nothing that it signed lives. Undefined: nothing is to be done before something else happens.
 */
export function dueStep(rotation: Rotation): Due | undefined {
  const all = kinds.flatMap((kind) => dueOf(rotation, kind))
  return all.reduce<Due | undefined>((first, due) => (first && first.at <= due.at ? first : due), undefined)
}

function dueOf({ authorities, told, lastEnds, now }: Rotation, kind: Authority['kind']): readonly Due[] {
  const ofKind = authorities.filter((each) => each.kind === kind)
  const newest = ofKind.findLast(({ state }) => state === 'active')
  /** Undefined while that was not published. */
  const heard = ({ id, state }: Authority): number | undefined => {
    const known = told.get(id)
    return known?.state === state ? known.since + limits.rootsHeardMs : undefined
  }
  const due: Due[] = []
  const next = ofKind.find(({ state }) => state === 'next')
  if (next) {
    // When the one that it follows ends before everybody has heard, those who have not are cut off either way
    const latest = newest ? newest.notAfter - limits.rootsHeardMs : now
    due.push({ step: 'activate', id: next.id, at: Math.min(heard(next) ?? Infinity, latest) })
  } else if (newest) {
    const life = newest.notAfter - newest.notBefore
    due.push({ step: 'prepare', id: newest.id, at: Math.floor(newest.notBefore + share.replaced * life) })
  }
  const replaced = ofKind.find((each) => each.state === 'active' && each !== newest)
  const taintAt = replaced && newest ? heard(newest) : undefined
  if (replaced && taintAt !== undefined) due.push({ step: 'taint', id: replaced.id, at: taintAt })
  for (const tainted of ofKind.filter(({ state }) => state === 'tainted')) {
    const below = authorities.filter(({ signedBy }) => signedBy === tainted.id).map(({ id }) => id)
    const ends = Math.max(...[tainted.id, ...below].map(lastEnds))
    const at = heard(tainted)
    if (at !== undefined) due.push({ step: 'revoke', id: tainted.id, at: Math.max(at, ends) })
  }
  return due
}

export type Urgency = 'good' | 'due' | 'urgent' | 'ended'

/** By the part of its life that is left. */
export function urgencyOf({ notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number): Urgency {
  const left = (notAfter - now) / Math.max(1, notAfter - notBefore)
  if (left <= 0) return 'ended'
  if (left < share.urgent) return 'urgent'
  return left < share.warned ? 'due' : 'good'
}

/** When it will be the next one; undefined when it has ended. */
export function nextUrgencyAt(
  { notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number,
): number | undefined {
  const life = notAfter - notBefore
  return [notAfter - share.warned * life, notAfter - share.urgent * life, notAfter]
    .map((at) => Math.ceil(at) + 1).find((at) => at > now)
}
