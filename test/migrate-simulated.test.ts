/** A zone in use moves its stores into a simulated etcd, and at each step of that all goes wrong that can. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { allMoveCases, runMigrate } from '../boot/sim/migrate.ts'
import { describeMoveCase, moveStrikes, type MoveCase } from '../boot/sim/migrate/cases.ts'
import { movePhases } from '../runtime/store/move/move.ts'
import { commitNumber } from './commit.ts'

const cases = await allMoveCases()
/** Each commit runs one of so many shares. */
const SHARES = 96

async function failuresOf(chosen: readonly MoveCase[]): Promise<readonly string[]> {
  const failures: string[] = []
  for (const one of chosen) {
    const { failure, isStruck, written } = await runMigrate({ seed: one.index, keys: 'cheap' })
    const why = failure ? `${failure.invariant}: ${failure.detail}` : isStruck ? undefined : 'the step never came'
    if (why !== undefined || written === 0) failures.push(`${describeMoveCase(one)}: ${why}`)
  }
  return failures
}

const find = (strike: string, store: string, phase: string, moment: string): MoveCase =>
  cases.find(({ strike: its, at }) => its === strike && typeof at !== 'string'
    && at.store === store && at.phase === phase && at.moment === moment)!

test('there is a case for each store, each phase of its move, before and after, and all that may strike', () => {
  const stores = new Set(cases.flatMap(({ at }) => (typeof at === 'string' ? [] : [at.store])))
  for (const store of ['vault', 'system-config', 'verify-hub']) assert.ok(stores.has(store), store)
  assert.is(cases.length, stores.size * movePhases.length * 2 * moveStrikes.length + 2 * (moveStrikes.length - 1) - 1)
})

test('the power goes as the target is in use and the source is not retired, and as it is retired', async () => {
  assert.equal(await failuresOf([
    find('power-off', 'system-config', 'active', 'reached'), find('power-off', 'system-config', 'retired', 'reached'),
    find('outage', 'vault', 'verified', 'reached'),
  ]), [])
})

const share = commitNumber() % SHARES
test(`of all cases, the share of this commit: ${share} of ${SHARES}`, async () => {
  const chosen = cases.filter(({ index }) => index % SHARES === share)
  assert.ok(chosen.length > 0)
  assert.equal(await failuresOf(chosen), [])
})

test.run()
