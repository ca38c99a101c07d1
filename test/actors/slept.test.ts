/** A machine that sleeps: its monotonic clock stands still, and what was held for a time is over when it wakes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leading, type LeadingOptions, type Term } from '../../actors/leading.ts'
import { Fence } from '../../actors/node-daemon/fence.ts'
import { Fenced } from '../../actors/system-config/protocol.ts'
import { lastingClock } from '../../runtime/lasting.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import { pause, simulateWith, thrownBy } from '../runtime/sim-fixture.ts'

const { leaderLeaseMs, hostFenceMs, hostConfirmMs } = limits
const LEASE_MS = leaderLeaseMs / 1.05

/** A host of the simulator, whose wall clock the program sets: ahead of the other one, as after a sleep. */
const onHost = (program: (world: World, clock: Clock, step: (ms: number) => void) => Promise<void>) =>
  simulateWith((world) => {
    const { clock } = world.startProcess('h1').platform
    return program(world, clock, (ms) => world.stepClock('h1', ms))
  }, { maxEvents: 100_000 })

test('what the wall clock is ahead counts as passed beyond the limit, and what it is set back as nothing', async () => {
  await onHost(async (world, clock, step) => {
    const lasting = lastingClock(clock)
    const at = () => Math.round(lasting.monotonic() - clock.monotonic())
    step(limits.clockAheadMs - 2)
    assert.is(at(), 0, 'clocks differ by a little')
    step(60_000)
    assert.ok(Math.abs(at() - 60_000 - limits.clockAheadMs) <= 5, String(at()))
    const before = at()
    step(-86_400_000)
    assert.is(at(), before, 'set back, it gives nothing back')
    await pause(world, 5_000)
    assert.is(at(), before)
    step(2_000)
    assert.ok(at() >= before + 1_990, 'nor is what was set back a stock to sleep on')
  })
})

/** One that leads at a system-config that answers as `held` says; its term ends in `over`. */
function leader(clock: Clock) {
  const terms: Term[] = []
  const writes: string[] = []
  const stopping = new AbortController()
  const made = { answers: true, terms, writes, stop: () => stopping.abort() }
  const options: LeadingOptions = {
    start: {
      clock, stopping: stopping.signal, gauge() {}, log: { info() {}, warn() {}, error() {} },
      background: (task) => void task().catch(() => {}),
    },
    systemConfig: {
      async lead() {
        if (!made.answers) throw new Error('Cut off')
        return { leads: true, term: 7, host: 'h1', ttlMs: leaderLeaseMs }
      },
      resign: async () => ({}),
      execTx: async () => {
        writes.push('written')
        return { revision: 1 }
      },
    } as unknown as LeadingOptions['systemConfig'],
    session: { token: () => '' }, name: 'scheduler',
    async body(term) {
      terms.push(term)
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve, { once: true }))
    },
  }
  return Object.assign(made, { led: leading(options) })
}

test('a leader whose machine slept through its lease leads no more when it wakes, and writes nothing', async () => {
  await onHost(async (world, clock, step) => {
    const a = leader(clock)
    await pause(world, 100)
    a.answers = false
    await a.terms[0]!.write({ actions: {} } as never)
    step(leaderLeaseMs)
    assert.instance(await thrownBy(a.terms[0]!.write({ actions: {} } as never)), Fenced)
    assert.equal([a.writes.length, a.terms[0]!.signal.aborted], [1, true], 'at once, where it looks')
    a.stop()
    const b = leader(clock)
    await pause(world, 100)
    b.answers = false
    step(leaderLeaseMs)
    await pause(world, limits.clockLookMs + 1)
    assert.is(b.terms[0]!.signal.aborted, true, 'and soon, where it does not')
    b.stop()
  })
})

test('a wall clock that is set back makes no lease longer; one that slept for a part of it has the rest', async () => {
  await onHost(async (world, clock, step) => {
    for (const [ms, lastsMs] of [[-86_400_000, LEASE_MS], [5_000, LEASE_MS - 5_000]] as const) {
      const a = leader(clock)
      await pause(world, 10)
      a.answers = false
      step(ms)
      const began = clock.monotonic()
      await pause(world, lastsMs - 200)
      assert.is(a.terms[0]!.signal.aborted, false, `${ms}`)
      while (!a.terms[0]!.signal.aborted) await pause(world, 10)
      const took = clock.monotonic() - began
      assert.ok(took <= lastsMs + 50, `${ms}: ${took}`)
      a.stop()
    }
  })
})

test('a host whose machine slept stops what may run elsewhere, and starts none before it reads', async () => {
  await onHost(async (world, clock, step) => {
    const lasting = lastingClock(clock)
    const stopping = new AbortController()
    let [answers, closed] = [true, 0]
    const fence: Fence = new Fence({
      clock: lasting, stopping: stopping.signal, warn() {}, opened() {},
      async look() {
        const askedMs = lasting.monotonic()
        if (!answers) throw new Error('Cut off')
        fence.saw({ lost: false, report: 'regularly' }, askedMs)
      },
      close: async () => void closed++,
    })
    const running = fence.run()
    await pause(world, 100)
    answers = false
    step(-86_400_000)
    await pause(world, hostFenceMs / 2)
    assert.equal([closed, fence.mayStart], [0, true])
    step(hostFenceMs)
    assert.is(fence.mayStart, false, 'at once')
    await pause(world, limits.clockLookMs + 1)
    assert.equal([closed, fence.closed], [1, true])
    answers = true
    await pause(world, hostConfirmMs + 1)
    assert.equal([fence.closed, fence.mayStart], [false, true])
    stopping.abort()
    await running
  })
})

test.run()
