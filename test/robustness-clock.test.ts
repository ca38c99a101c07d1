/**
 * A wall clock that jumps, in virtual time: it may cost a login, never a wrong answer, a death or a zone that stands
 * still. Durations go by the monotonic clock, and the wall clock decides over tokens and certificates alone.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { HOST } from './boot-fixtures/simulated.ts'
import { inZone, is } from './robustness/simulated-zone.ts'
import { alice, counter } from './runtime/counter-fixture.ts'
import { testClock } from './runtime/link-fixture.ts'
import { pause } from './runtime/sim-fixture.ts'
import { settable } from './runtime/supervisor-fixture.ts'

const test = suite('a clock that jumps, in simulation')
const HOUR = 3_600_000

const jumps: readonly (readonly [name: string, afterMs: number, stepMs: number])[] = [
  ['an hour forward', 30_000, HOUR],
  ['an hour back', 30_000, -HOUR],
  ['an hour back, when the first logins have expired', 25 * 60_000, -HOUR],
  ['a minute back', 30_000, -60_000],
  ['a week forward', 30_000, 7 * 24 * HOUR],
]
for (const [index, [name, afterMs, stepMs]] of jumps.entries()) {
  test(`daemon, scheduler, logins and links go on within a minute: ${name}`, () =>
    inZone(40 + index, async ({ world, zone, deaths, worked }) => {
      await pause(world, afterMs)
      world.stepClock(HOST, stepMs)
      await pause(world, 5_000)
      assert.ok(await worked() < 60_000)
      is(deaths.join(), '')
      // What starts now brings certificates and tokens of the new time
      await zone.kill('verify-hub')
      await zone.kill('system-config')
      await pause(world, 10_000)
      assert.ok(await worked() < 60_000)
      await pause(world, 20 * 60_000)
      assert.ok(await worked() < 60_000)
      assert.ok(deaths.length > 0 && deaths.every((death) => death.endsWith(': killed')), deaths.join())
    }))
}

test('a token of before the jump is too old or too new, and one that was used stays used', () =>
  inZone(50, async ({ world, zone, rootToken, asked }) => {
    const [old, ahead] = [await rootToken(), await rootToken(-120)]
    is(await asked(ahead), 'token/not-yet-valid')
    world.stepClock(HOST, HOUR)
    is(await asked(old), 'token/expired')
    const used = await rootToken()
    is(await asked(used), 'allowed')
    // Others are used, so that what has expired long ago could be forgotten
    world.stepClock(HOST, HOUR)
    for (let token = 0; token < 2 * limits.burnSweep; token++) is(await asked(await rootToken()), 'allowed')
    world.stepClock(HOST, -HOUR)
    // A token is good for the link that it came by: the next incarnation has other links
    await zone.kill('system-config')
    await pause(world, 10_000)
    is(await asked(used), 'token/replayed')
    is(await asked(await rootToken()), 'allowed')
    const fresh = await rootToken()
    world.stepClock(HOST, -HOUR)
    is(await asked(fresh), 'token/not-yet-valid')
    is(await asked(await rootToken()), 'allowed')
  }))

test('a lease lasts as long as it was granted for, whatever the wall clock shows', () =>
  inZone(51, async ({ world, platform }) => {
    const store = await platform.stores({ type: 'folder', path: '/other' }).open('leases')
    const lease = await store.grant(60_000)
    await store.put('leased', new Uint8Array(1), { lease: lease.id })
    for (const stepMs of [HOUR, -2 * HOUR]) world.stepClock(HOST, stepMs)
    await pause(world, 50_000)
    assert.ok(await store.get('leased'))
    await pause(world, 11_000)
    assert.not(await store.get('leased'))
    await store.close()
  }))

test('a call on its way ends early at worst, the next is answered, a watch of a dead token tells nothing more', () =>
  inZone(52, async ({ world, zone, rootToken, asked }) => {
    const systemConfig = zone.get(SystemConfig)
    const token = await rootToken()
    const { revision } = await systemConfig.dump({ prefixes: ['users/'] }, { token })
    const watch = systemConfig.watch({ prefix: 'users/', after: revision }, { token })[Symbol.asyncIterator]().next()
    const outcome = watch.then(() => 'an event', (error: unknown) => (error as ZonewrightError).code)
    for (const stepMs of [HOUR, -HOUR, -HOUR, HOUR]) {
      const running = zone.get(NodeDaemon).converge({}, { withinMs: 60_000 })
        .then(() => 'answered', (error: unknown) => (error as ZonewrightError).code)
      world.stepClock(HOST, stepMs)
      // Deadlines travel, so they are wall time: one that is on its way may be over by a clock that was set forward
      is(await running, stepMs > 0 ? 'DeadlineExceeded' : 'answered')
      is(await asked(await rootToken()), 'allowed')
    }
    world.stepClock(HOST, HOUR)
    const value = JSON.stringify({ planted: true })
    await systemConfig.execTx({ actions: { 'users/planted/notes': { action: 'create', value } } }, {
      token: await rootToken(),
    })
    is(await outcome, 'Denied')
  }))

const links = suite('a clock that jumps, on a link')

links('a verdict that was given for seconds is asked for again by a clock that was set back', async () => {
  const time = testClock()
  const { clock, jump } = settable(time)
  const asked: string[] = []
  const verdictMs = limits.enforcerLeaseMs
  const authenticate = (token: string) => {
    asked.push(token)
    return { ...alice, expires: clock.now() + verdictMs }
  }
  const { caller } = await counter({}, { clock: { ...time, ...clock }, lifecycle: { authenticate } })
  const calls = async (): Promise<number> => {
    await caller.client.read({}, { token: 't' })
    return asked.length
  }
  assert.equal([await calls(), await calls()], [1, 1])
  jump(-HOUR)
  assert.equal([await calls(), await calls()], [2, 2])
  jump(HOUR)
  assert.equal([await calls(), await calls()], [3, 3])
  await time.advance(verdictMs)
  assert.is(await calls(), 4)
})

test.run()
links.run()
