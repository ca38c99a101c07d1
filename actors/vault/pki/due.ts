import type { Authority } from '../protocol.ts'
import type { Step } from './rotation.ts'

export interface DueStep {
  readonly step: Step
  /** Of the authority that it is about. */
  readonly id: string
}

export interface Pace {
  /** Milliseconds for which a new root is told to everybody before it signs. */
  readonly announceMs: number
  /** Milliseconds for which a certificate may live: what a tainted authority signed has ended then. */
  readonly leafMs: number
}

const DAY_MS = 86_400_000
/** A root set lives for 30 days and is fetched anew at half of that; half of this again for who was away. */
export const zonePace: Pace = { announceMs: 22 * DAY_MS, leafMs: 360 * DAY_MS }

/**
 * The step that one of these authorities is due for now, if any; after it there may be another. Authorities of a mount
 * come newest last. Renewal is at half of their life, so that a zone that is off for years finds a root that lives.
 */
export function dueStep(authorities: readonly Authority[], now: number, pace: Pace = zonePace): DueStep | undefined {
  for (const kind of ['root', 'intermediate'] as const) {
    const due = dueOf(authorities.filter((one) => one.kind === kind), authorities, now, pace)
    if (due !== undefined) return due
  }
  return undefined
}

function dueOf(
  own: readonly Authority[], all: readonly Authority[], now: number, { announceMs, leafMs }: Pace,
): DueStep | undefined {
  const active = own.filter(({ state }) => state === 'active')
  const newest = active.at(-1)
  const next = own.find(({ state }) => state === 'next')
  if (next && newest) {
    // An intermediate is trusted by its root; a root has to be known first, unless there is no time left for that
    const known = next.kind === 'intermediate' || now >= next.notBefore + announceMs
    if (known || now >= newest.notAfter - announceMs) return { step: 'activate', id: next.id }
  }
  const replaced = active.find((one) => one !== newest)
  if (replaced) return { step: 'taint', id: replaced.id }
  const tainted = own.find(({ state }) => state === 'tainted')
  if (tainted && newest && now >= endOfUse(tainted, own, all, leafMs)) return { step: 'revoke', id: tainted.id }
  if (newest && !next && now >= halfLife(newest)) return { step: 'prepare', id: newest.id }
  return undefined
}

const halfLife = ({ notBefore, notAfter }: Authority): number => notBefore + (notAfter - notBefore) / 2

/** When nothing that it signed is in use any more, by the age of the one that followed it. */
function endOfUse(
  tainted: Authority, own: readonly Authority[], all: readonly Authority[], leafMs: number,
): number {
  const follower = own[own.indexOf(tainted) + 1]
  if (follower === undefined) return tainted.notAfter
  // A root signs only when it is activated, which is when its first intermediate is made
  const below = all.find((one) => one.kind === 'intermediate' && one.signedBy === follower.id)
  return Math.min(tainted.notAfter, (below ?? follower).notBefore + leafMs)
}
