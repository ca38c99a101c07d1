/** Every store of a zone on its way into etcd, with all that may strike at each step of that. */
import { allMoveCases, runMigrate } from '../../boot/sim/migrate.ts'
import { describeMoveCase } from '../../boot/sim/migrate/cases.ts'

export const movesHelp = `moves [--cases 0..N] [--keys cheap|real]
    moves the stores of a zone in use into etcd, and lets one thing go wrong at one step, until it is through`

export interface MovesOptions {
  readonly cases: readonly number[]
  readonly keys: 'real' | 'cheap'
}

/** @returns how many passed and failed */
export async function soakMoves(
  { cases: [first = 0, last = Infinity], keys }: MovesOptions,
): Promise<{ passed: number; failed: number }> {
  const began = performance.now()
  const all = await allMoveCases()
  const chosen = all.filter(({ index }) => index >= first && index <= last)
  const total = { events: 0, boots: 0, attempts: 0, failed: 0 }
  for (const [done, one] of chosen.entries()) {
    const report = await runMigrate({ seed: one.index, keys })
    total.events += report.events
    total.boots += report.boots
    total.attempts += report.attempts
    if (report.failure || !report.isStruck) {
      total.failed++
      const why = report.failure ? `${report.failure.invariant}: ${report.failure.detail}` : 'the step never came'
      console.log(`${describeMoveCase(one)}\n  ${why}`)
      console.log(`  again: npm run soak -- moves --cases ${one.index}..${one.index} --keys ${keys}`)
    }
    if ((done + 1) % 100 === 0 || done + 1 === chosen.length) {
      const seconds = (performance.now() - began) / 1000
      console.log(`${done + 1} of ${chosen.length}: ${seconds.toFixed(0)} s, ${total.events} events, `
        + `${total.boots} boots, ${total.attempts} attempts, ${total.failed} failed`)
    }
  }
  return { passed: chosen.length - total.failed, failed: total.failed }
}
