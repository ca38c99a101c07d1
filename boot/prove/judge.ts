import { DeadlineExceeded, messageOf, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { within } from '../../runtime/within.ts'
import type { Scene } from './scene.ts'

export type Group = 'allowed' | 'frames' | 'handshake' | 'calls' | 'tokens' | 'sessions' | 'policy' | 'boot'

/** Class of the error, and its `details.reason`; '' where the class says all. */
export interface Refusal {
  readonly code: string
  readonly reason: string
}

/**
 * Does what has to succeed first, and returns the attempt itself: a refusal of the preparation proves nothing. The
 * attempt settles when it got in, and rejects with what the zone said.
 */
export type Prepare = (scene: Scene) => Promise<() => Promise<unknown>>

/** One thing that is tried on the running zone. */
export interface Attempt {
  /** A sentence about what is tried. */
  readonly name: string
  readonly group: Group
  readonly expected: 'allowed' | Refusal
  /** Keys of `kv://` that stay as they were, value and revision. */
  readonly untouched?: (scene: Scene) => readonly string[]
  readonly prepare: Prepare
}

export interface ProofResult {
  readonly name: string
  readonly group: Group
  readonly expected: 'allowed' | 'denied'
  readonly outcome: 'allowed' | 'denied' | 'error'
  /** Class of the error; '' when it was allowed. */
  readonly code: string
  readonly reason: string
  /** Denied: for the reason that was expected and no other. */
  readonly ok: boolean
}

type Outcome = Pick<ProofResult, 'outcome' | 'code' | 'reason'>
const letIn: Outcome = { outcome: 'allowed', code: '', reason: '' }

export async function judge(attempt: Attempt, scene: Scene): Promise<ProofResult> {
  const { name, group, expected } = attempt
  const seen = await outcomeOf(attempt, scene)
  const ok = expected === 'allowed'
    ? seen.outcome === 'allowed'
    : seen.outcome === 'denied' && seen.code === expected.code && seen.reason === expected.reason
  return { name, group, expected: expected === 'allowed' ? 'allowed' : 'denied', ...seen, ok }
}

async function outcomeOf({ prepare, untouched }: Attempt, scene: Scene): Promise<Outcome> {
  const keys = untouched?.(scene) ?? []
  try {
    const attempt = await inTime(scene, prepare(scene))
    const before = await scene.snapshot(keys)
    const outcome = await inTime(scene, attempt()).then(() => letIn, refusalOf)
    const after = await scene.snapshot(keys)
    const written = keys.find((key) => before.get(key) !== after.get(key))
    return written === undefined ? outcome : { outcome: 'allowed', code: outcome.code, reason: `written: ${written}` }
  } catch (error) {
    return { outcome: 'error', code: codeOf(error), reason: `before the attempt: ${messageOf(error)}` }
  } finally {
    scene.hangUp()
  }
}

const inTime = <T>({ platform }: Scene, work: Promise<T>): Promise<T> => within(platform.clock, limits.proofMs, work,
  () => new DeadlineExceeded(`Nothing came of it in ${limits.proofMs} ms`))

/** These say that there was no answer, or that something broke: nobody refused anything. */
const notRefusals: ReadonlySet<string> = new Set([
  'DeadlineExceeded', 'Cancelled', 'Overloaded', 'Internal', 'InvalidResult', 'Restarted', 'Unavailable', 'StartFailed',
])

function refusalOf(error: unknown): Outcome {
  if (!(error instanceof ZonewrightError) || notRefusals.has(error.code)) {
    return { outcome: 'error', code: codeOf(error), reason: messageOf(error) }
  }
  const { reason } = error.details
  return { outcome: 'denied', code: error.code, reason: typeof reason === 'string' ? reason : '' }
}

const codeOf = (error: unknown): string => (error instanceof ZonewrightError ? error.code : 'Error')
