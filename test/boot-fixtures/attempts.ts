import * as assert from 'uvu/assert'
import type { Attempt, Outcome } from './bad-input-child.ts'
import type { BadInput } from './bad-inputs.ts'
import { runChild } from './child.ts'

/** By this argument the test file knows that it is the child. */
export const CHILD = '--child'
export const CHILD_MS_MAX = 60_000

/** All in one process, which then has to end by itself, having said nothing else. */
export async function attempt(attempts: readonly Attempt[]): Promise<readonly Outcome[]> {
  const child = await runChild([CHILD, JSON.stringify(attempts)], { msMax: CHILD_MS_MAX })
  const outcomes = child.lines as unknown as readonly Outcome[]
  const last = outcomes.at(-1)?.code
  assert.equal(
    [child.code, child.late, child.noise],
    [0, false, ''],
    `after ${outcomes.length} attempts, the last: ${last}`,
  )
  assert.is(outcomes.length, attempts.length)
  return outcomes
}

/** What was told of one bad input, beside what was expected. */
export function judge(
  outcome: Outcome | undefined,
  { name, code, exit, message, next }: Omit<BadInput, 'spoil' | 'actors'>,
): string[] {
  if (!outcome) return [`${name}: no outcome`]
  const faults = [
    ...(outcome.code === code && outcome.exit === exit
      ? []
      : [`${outcome.code}, exit code ${outcome.exit}, not ${code}, ${exit}`]),
    ...(message.test(outcome.message) ? [] : [`message: ${outcome.message}`]),
    ...(outcome.message.includes('\n') || /\bat .*\.[jt]s:\d/.test(outcome.message)
      ? [`not one line: ${outcome.message}`]
      : []),
    ...(next.test(outcome.next) ? [] : [`next: "${outcome.next}" (${outcome.message})`]),
  ]
  return faults.map((fault) => `${name}: ${fault}`)
}
