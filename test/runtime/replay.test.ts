import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { createMemoryStore, emptyState } from '../../runtime/store/memory.ts'
import { burn } from '../../runtime/trust/replay.ts'

const now = 1_800_000_000
/** When what had expired at `now` may be forgotten. */
const later = now + limits.usedTokenSeconds
const clock = { now: () => now * 1000, monotonic: () => 0, after: () => () => {}, soon: (task: () => void) => task() }
const random = new SeededRandom('replay test')
const open = (state = emptyState(random)) => createMemoryStore({ clock, random, state })
const countOf = async (store: ReturnType<typeof open>, prefix: string): Promise<number> =>
  (await store.list(prefix)).entries.length

const replay = suite('replay')

replay('an id is fresh once, and another id beside it is fresh too', async () => {
  const store = open()
  assert.is(await burn(store, 'k:1', now + 60, now), true)
  assert.is(await burn(store, 'k:1', now + 60, now), false)
  assert.is(await burn(store, 'k:1', now + 90, now + 1), false, 'whatever exp it comes with')
  assert.is(await burn(store, 'k:2', now + 60, now), true)
})

replay('of a hundred that come at once one is the first', async () => {
  const store = open()
  const answers = await Promise.all(Array.from({ length: 100 }, () => burn(store, 'k:1', now + 60, now)))
  assert.is(answers.filter(Boolean).length, 1)
})

replay('a used id stays used when the store is opened again', async () => {
  const state = emptyState(random)
  const first = open(state)
  assert.is(await burn(first, 'k:1', now + 60, now), true)
  await first.close()
  assert.is(await burn(open(state), 'k:1', now + 60, now), false)
  assert.is(await burn(open(state), 'k:2', now + 60, now), true)
})

replay('what has expired is not burned but refused', async () => {
  const store = open()
  assert.is(await burn(store, 'k:1', now, now), false)
  assert.is(await store.revision(), 0)
})

replay('the ledger holds what lives or expired a while ago, and less than two steps of what is older', async () => {
  const store = open()
  const lifetime = 40
  const unit = limits.usedTokenSeconds / lifetime
  let most = 0
  for (let time = 0; time < 400; time++) {
    assert.is(await burn(store, `k:${time}`, now + (time + lifetime) * unit, now + time * unit), true)
    most = Math.max(most, await countOf(store, 'jti/used/'))
  }
  assert.ok(most >= 2 * lifetime && most <= 2 * lifetime + 2 * limits.burnSweep, `${most}`)
  assert.is(await countOf(store, 'jti/used/'), await countOf(store, 'jti/expiry/'))
})

replay('a clock that is set back does not make a forgotten id fresh', async () => {
  const store = open()
  for (let index = 0; index < limits.burnSweep; index++) await burn(store, `k:${index}`, now + 60, now)
  assert.is(await burn(store, 'k:late', later + 200, later + 100), true)
  assert.is(await countOf(store, 'jti/used/'), 1, 'the expired ones are forgotten')
  assert.is(await burn(store, 'k:0', now + 60, now), false)
  assert.is(await burn(store, 'k:new', now + 61, now), true)
})

replay('fresh ids that come while old ones are swept all get in, each once', async () => {
  const store = open()
  const old = Array.from({ length: 10 * limits.burnSweep }, (_, index) => burn(store, `k:old-${index}`, now + 60, now))
  assert.ok((await Promise.all(old)).every(Boolean))
  const ids = Array.from({ length: 200 }, (_, index) => `k:new-${index >> 1}`)
  const answers = await Promise.all(ids.map((id) => burn(store, id, later + 200, later + 100)))
  assert.is(answers.filter(Boolean).length, 100)
  assert.is(new Set(ids.filter((_, index) => answers[index])).size, 100)
})

type Open = ReturnType<typeof open>
const step = Array.from({ length: limits.burnSweep }, (_, index) => index)

/** A caller that others overtake just before its first transaction. */
function overtaken(store: Open, by: () => Promise<void>): Open {
  let waiting: (() => Promise<void>) | undefined = by
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as Open['transact']
      if (name !== 'transact') return method
      return async (...given: Parameters<Open['transact']>) => {
        const task = waiting
        waiting = undefined
        await task?.()
        return method(...given)
      }
    },
  })
}

replay('an id that others burn and forget while a slow caller is at it is not fresh for that caller', async () => {
  const store = open()
  for (const index of step.slice(1)) await burn(store, `k:${index}`, now + 60, now)
  const slow = overtaken(store, async () => {
    assert.is(await burn(store, 'k:0', now + 60, now), true)
    assert.is(await burn(store, 'k:later', later + 200, later + 100), true, 'sweeps')
  })
  assert.is(await burn(slow, 'k:0', now + 60, now), false)
})

replay('late marks of expired ids do not take back what was forgotten', async () => {
  const store = open()
  let sweepIsDone = (): void => {}
  const swept = new Promise<void>((resolve) => { sweepIsDone = resolve })
  const late = step.map((index) => burn(overtaken(store, () => swept), `k:late-${index}`, now + 30, now))
  for (const index of step) await burn(store, `k:${index}`, now + 60, now)
  assert.is(await burn(store, 'k:sweeps', later + 200, later + 100), true)
  sweepIsDone()
  assert.not((await Promise.all(late)).some(Boolean))
  assert.is(await burn(store, 'k:0', now + 60, now + 40), false, 'with a sweep due')
  assert.is(await burn(store, 'k:sweeps the late ones', later + 201, later + 101), true)
  assert.is(await countOf(store, 'jti/used/'), 2)
  assert.is(await burn(store, 'k:0', now + 60, now + 40), false)
})

replay('a slow sweep does not take back what a faster one has forgotten', async () => {
  const store = open()
  for (const index of step) await burn(store, `k:${index}`, now + 60, now)
  const slow = overtaken(store, async () => {
    await burn(store, 'k:first', later + 900, later + 100)
    for (const index of step) await burn(store, `k:later-${index}`, later + 250, later + 100)
    await burn(store, 'k:second', later + limits.usedTokenSeconds + 900, later + limits.usedTokenSeconds + 300)
  })
  assert.is(await burn(slow, 'k:slow', later + 900, later + 100), true)
  assert.is(await burn(store, 'k:later-0', later + 250, later + 200), false)
})

replay.run()
