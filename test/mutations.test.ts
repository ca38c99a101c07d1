/**
 * A safety test fails when its guard is taken out. One share of the guards, by the commit, so that each run is short
 * and all come round; `npm run soak -- mutations` takes them all. On Node only (see test/mutations/judging.ts).
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { guards } from './mutations/guards.ts'
import { judgeAll, judgeName, trialsOf, unnoticed } from './mutations/judging.ts'
import { shareOf } from './mutations/share.ts'

if ('Deno' in globalThis) throw new Error('Guards are taken out by a build, which Deno does not run')

const trials = trialsOf(shareOf(guards))
const verdicts = await judgeAll(trials)

for (const trial of trials) {
  const { guard, judge } = trial
  if (!guard) {
    test(`${judgeName(judge)} passes with every guard`, async () => {
      assert.equal(await verdicts.get(trial), { verdict: 'passed' })
    })
    continue
  }
  test(`${guard.file}: ${guard.name}`, async () => {
    assert.is(unnoticed(guard, (await verdicts.get(trial))!), undefined)
  })
}

test.run()
