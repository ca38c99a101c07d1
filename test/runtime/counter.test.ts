import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { supervise, worker, type Supervised } from '../../runtime/index.ts'
import { Audit, Counter } from '../examples/protocol.ts'

const actors = [
  worker(Counter, new URL('../examples/counter.ts', import.meta.url)),
  worker(Audit, new URL('../examples/audit.ts', import.meta.url)),
]
let zone: Supervised

test.before(async () => {
  zone = await supervise(actors)
})
test.after(() => zone.stop())

test('a call reaches an actor in its worker and speaks for its caller', async () => {
  assert.is(await zone.get(Counter).add({ by: 2 }, { withinMs: 5_000 }), 2)
  assert.is(await zone.get(Counter).add({ by: 3 }), 5)
  assert.equal(await zone.get(Audit).entries({}), [{ who: 'supervisor', by: 2 }, { who: 'supervisor', by: 3 }])
})

test('a stream delivers what happened and ends when its reader stops', async () => {
  const seen: number[] = []
  for await (const { total } of zone.get(Counter).watch({ after: 0 })) {
    seen.push(total)
    if (seen.length === 2) break
  }
  assert.equal(seen, [2, 5])
})

test('one-way sends arrive in order', async () => {
  for (let i = 0; i < 10; i++) zone.get(Counter).note({ text: `n${i}` })
  assert.equal(await zone.get(Counter).notes({}), [...Array(10).keys()].map((i) => `n${i}`))
})

test('a killed actor comes back with what needs it, and calls work again', async () => {
  await zone.kill('audit')
  assert.is(await zone.get(Counter).add({ by: 1 }), 1, 'the counter restarted with an empty store in memory')
  assert.ok(zone.list().every(({ state }) => state === 'serving'))
})

test.run()
