import type { ActorDefinition } from '../../../runtime/actor.ts'
import { movePhases, type MovePhase } from '../../../runtime/store/move/move.ts'
import { ONCE, threadOf } from '../orders.ts'

/** What happens at a step of the move. */
export const moveStrikes = [
  /** The power goes, the host dies in its process, the worker that moves the store dies. */
  'power-off', 'host', 'worker',
  /** etcd: away for a moment, with answers lost; for longer than a move waits; without a leader; slow; compacted. */
  'outage', 'gone', 'leader', 'slow', 'compact',
  /** Somebody else moves into the same place, and the same zone is asked to move a second time. */
  'rival', 'twice',
] as const
export type MoveStrike = (typeof moveStrikes)[number]

/** `reached`: the mover comes to it, and has done nothing of it. `journaled`: the journal has it on the disk. */
export const moveMoments = ['reached', 'journaled'] as const

export interface MoveCase {
  readonly index: number
  readonly strike: MoveStrike
  readonly at:
    | { readonly store: string; readonly phase: MovePhase; readonly moment: (typeof moveMoments)[number] }
    /** The journal itself begins, and ends. */
    | 'begins' | 'ends'
}

/** Stores that a first host has once it serves, by the names of their actors. */
export function movedStores(definitions: ReadonlyMap<string, ActorDefinition>): readonly string[] {
  return [...threadOf.keys()].filter((name) => name !== ONCE && !definitions.get(name)!.stateless).sort()
}

/** Every step of the move of every store, before and after, with everything that may happen there. */
export function moveCases(stores: readonly string[]): readonly MoveCase[] {
  const steps: readonly MoveCase['at'][] = [
    'begins',
    ...stores.flatMap((store) => movePhases.flatMap((phase) => moveMoments.map((moment) =>
      ({ store, phase, moment })))),
    'ends',
  ]
  const all = steps.flatMap((at) => moveStrikes.map((strike) => ({ at, strike })))
  return all.filter(({ at, strike }) => (typeof at !== 'string' || strike !== 'worker')
    // Nothing is locked yet: the rival would be the first, and what a second one is told has tests of its own
    && (at !== 'begins' || strike !== 'rival'))
    .map((one, index) => ({ ...one, index }))
}

export const describeMoveCase = ({ index, strike, at }: MoveCase): string =>
  `case ${index}: ${strike} as `
  + (typeof at === 'string' ? `the move ${at}` : `${at.store} is ${at.phase}, ${at.moment}`)
