/** Restarts and stops in virtual time: every moment is exact, and every death is where the test puts it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { RestartBudget } from '../../runtime/restart.ts'
import { deferred } from '../../runtime/within.ts'
import { failed, Part, settable, withHost, type Host, type PartClient } from './supervisor-fixture.ts'
import { pause } from './sim-fixture.ts'

const never = new Promise<never>(() => {})
const boom = (): never => { throw new Error('Planted') }

const restarts = suite('restarts')

/** Milliseconds between `restarting` and `starting` of each restart. */
function waits({ events }: Host, name: string): number[] {
  const own = events.filter(({ actor }) => actor === name)
  return own.flatMap(({ state, at }, index) => (state === 'restarting' ? [own[index + 1]!.at - at] : []))
}

restarts('each restart waits as the budget says, twice as long as before, and one too many stays down', async () => {
  let healthy = true
  await withHost({ x: { start: () => (healthy ? undefined : boom()) } }, async (host) => {
    await host.supervisor.startAll()
    healthy = false
    await host.supervisor.kill('x')
    await host.pause(10_000)
    const budget = new RestartBudget(host.platform.random.fork('restart x'))
    const expected = Array.from({ length: limits.restarts }, () => budget.next(0)!)
    for (const [index, wait] of expected.entries()) {
      const most = limits.restartBackoffMsMin * 2 ** index
      assert.ok(wait >= most / 2 && wait < most, `${index}: ${wait}`)
    }
    assert.is(budget.next(0), undefined)
    const actual = waits(host, 'x')
    assert.ok(actual.every((wait, index) => Math.abs(wait - expected[index]!) < 1), `${actual.join()} is not ${expected.join()}`)
    assert.is(actual.length, expected.length)
    assert.is(host.state('x'), 'failed')
    assert.match(await failed(host.supervisor.kill('x').then(() => host.ask('x', 100))), /^Unavailable: There was no link/)
    assert.match(host.events.at(-1)?.reason ?? '', /^x died more than 5 times in 60 s: .*Planted/)
  })
})

restarts('deaths further apart than the window are forgotten', async () => {
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    for (let death = 0; death < 3 * limits.restarts; death++) {
      await host.supervisor.kill('x')
      await host.pause(limits.restartWindowMs / limits.restarts + 1_000)
      assert.is(host.state('x'), 'serving')
    }
  })
})

restarts('a wall clock that jumps neither uses the budget up nor fills it', async () => {
  for (const jumpMs of [-86_400_000, 86_400_000]) {
    let time: ReturnType<typeof settable>
    await withHost({ x: {} }, async (host) => {
      await host.supervisor.startAll()
      for (let death = 0; death < limits.restarts; death++) {
        await host.supervisor.kill('x')
        await host.pause(3_000)
      }
      time.jump(jumpMs)
      await host.supervisor.kill('x')
      await host.pause(3_000)
      assert.is(host.state('x'), 'failed', 'the window has not passed')
      await host.pause(limits.restartWindowMs)
      await host.supervisor.start('x')
      await host.supervisor.kill('x')
      await host.pause(3_000)
      assert.is(host.state('x'), 'serving', 'the window has passed')
    }, {
      platform: (platform) => {
        time = settable(platform.clock)
        return { ...platform, clock: time.clock }
      },
    })
  }
})

restarts('what needs an actor that stays down goes down with it, others do not, and all can be started again', async () => {
  let healthy = true
  await withHost({
    x: { start: () => (healthy ? undefined : boom()) }, d: { needs: ['x'] }, e: { needs: ['d'] }, other: {},
  }, async (host) => {
    await host.supervisor.startAll()
    const before = await host.ask('other')
    healthy = false
    await host.supervisor.kill('x')
    await host.pause(10_000)
    assert.equal(['x', 'd', 'e', 'other'].map(host.state), ['failed', 'failed', 'failed', 'serving'])
    assert.is(await host.ask('other'), before)
    assert.match(await failed(host.supervisor.start('e')), /^RestartLimit: x died more than/)
    healthy = true
    await host.supervisor.startMany([{ name: 'e' }, { name: 'd' }, { name: 'x' }])
    assert.match(await host.ask('e'), /^e \d+, d \d+, x \d+$/)
  })
})

restarts('when two needs die together, what needs both restarts once', async () => {
  await withHost({ x: {}, y: {}, d: { needs: ['x', 'y'] } }, async (host) => {
    await host.supervisor.startAll()
    await Promise.all([host.supervisor.kill('x'), host.supervisor.kill('y')])
    assert.match(await host.ask('d'), /^d \d+, x \d+, y \d+$/)
    assert.equal(host.told.filter((event) => event === 'd starting').length, 2)
  })
})

restarts('when a second need dies while the dependent stops for the first, it still restarts once', async () => {
  const lifecycle = ({ clock }: { clock: Host['platform']['clock'] }) => ({ stop: () => pause({ clock }, 300) })
  await withHost({ x: {}, y: {}, d: { needs: ['x', 'y'], lifecycle } }, async (host) => {
    await host.supervisor.startAll()
    await host.supervisor.kill('x')
    await host.pause(150)
    assert.is(host.state('d'), 'stopping')
    await host.supervisor.kill('y')
    assert.match(await host.ask('d'), /^d \d+, x \d+, y \d+$/)
    assert.equal(host.told.filter((event) => event === 'd starting').length, 2)
  })
})

restarts('a need that dies while its dependent starts is not lost: the dependent starts again with a living link', async () => {
  let starts = 0
  await withHost({ x: {}, d: { needs: ['x'], start: async ({ clock }) => { starts++; await pause({ clock }, 1_000) } } }, async (host) => {
    const started = host.supervisor.startAll()
    await host.pause(500)
    assert.is(host.state('d'), 'starting')
    await host.supervisor.kill('x')
    await started
    assert.match(await host.ask('d', 200), /^d \d+, x \d+$/)
    assert.is(starts, 2)
  })
})

restarts('a handler that calls what died does not hold up the restart of its actor', async () => {
  await withHost({ x: {}, d: { needs: ['x'] } }, async (host) => {
    await host.supervisor.startAll()
    const running = failed(host.supervisor.get(Part('d')).napThenAsk({ ms: 200 }, { withinMs: 20_000 }))
    await host.pause(100)
    await host.supervisor.kill('x')
    const ms = await host.elapsed(() => host.ask('d', 10_000))
    assert.ok(ms < 1_000, `${ms} ms`)
    assert.match(await running, /^Restarted: /)
  })
})

restarts('deaths of a need cost its dependents nothing of their own budget', async () => {
  await withHost({ x: {}, d: { needs: ['x'], start: ({ clock }) => pause({ clock }, 200) } }, async (host) => {
    await host.supervisor.startAll()
    for (let death = 0; death < 2; death++) {
      await host.supervisor.kill('x')
      await host.pause(150)
      assert.is(host.state('d'), 'starting')
      await host.supervisor.kill('x')
      await host.pause(2_000)
    }
    for (let death = 0; death < limits.restarts; death++) {
      await host.supervisor.kill('d')
      await host.pause(3_000)
      assert.is(host.state('d'), 'serving', `death ${death}`)
    }
  })
})

restarts('those that need what died stop before what they need, and start after it', async () => {
  const order: string[] = []
  const lifecycle = (_: unknown, { d }: Readonly<Record<string, PartClient>>) => ({
    stop: async () => void order.push(`e stops: d has ${await d?.nap({ ms: 50 })}`),
  })
  await withHost({
    x: {}, e: { needs: ['d'], lifecycle },
    d: { needs: ['x'], lifecycle: () => ({ stop: async () => void order.push('d stops') }) },
  }, async (host) => {
    await host.supervisor.startAll()
    await host.supervisor.kill('x')
    await host.ask('e')
    assert.is(order.join(), 'e stops: d has slept,d stops')
    const after = host.told.slice(host.told.indexOf('x died'))
    const serving = after.filter((event) => event.endsWith('serving'))
    assert.equal(serving, ['x serving', 'd serving', 'e serving'])
  })
})

restarts('a start that fails is put away: its background work ends, its store is free for the next', async () => {
  for (const thread of ['x', 'shared']) {
    let [starts, ticks] = [0, 0]
    await withHost({
      x: {
        thread,
        start: async ({ store, background, clock, stopping }) => {
          await store.put('starts', new Uint8Array([++starts]))
          if (starts !== 2) return
          background(async () => { while (!stopping.aborted) { ticks++; await pause({ clock }, 10) } })
          await pause({ clock }, 20)
          boom()
        },
      },
      beside: { thread: 'shared' },
    }, async (host) => {
      await host.supervisor.startAll()
      await host.supervisor.kill('x')
      await host.ask('x')
      const seen = ticks
      await host.pause(1_000)
      assert.ok(seen > 0)
      assert.is(ticks, seen)
      assert.is(starts, 3)
    }, { stores: true })
  }
})

restarts('an error in background work is a death, with its text as the reason', async () => {
  const failing = deferred<void>()
  let starts = 0
  await withHost({ x: { start: ({ background }) => void (++starts === 1 && background(() => failing.promise)) } }, async (host) => {
    await host.supervisor.startAll()
    failing.reject(new Error('The feed broke'))
    await host.pause(1_000)
    assert.equal(host.events.filter(({ state }) => state === 'died').map(({ reason }) => reason), ['The feed broke'])
    assert.is(host.state('x'), 'serving')
  })
})

restarts('actors that share a thread die together, and the next incarnations share one again', async () => {
  await withHost({ a: { thread: 't' }, b: { thread: 't' }, c: { needs: ['b'] } }, async (host) => {
    await host.supervisor.startAll()
    await host.supervisor.kill('a')
    await host.ask('c')
    assert.equal(['a', 'b', 'c'].map(host.state), ['serving', 'serving', 'serving'])
    assert.equal(host.told.filter((event) => event.endsWith('died')).sort(), ['a died', 'b died'])
    assert.is((await host.supervisor.inspect()).length, 4)
  })
})

restarts("the supervisor's own clients survive restart after restart, and calls in flight say that they were cut", async () => {
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    const client = host.supervisor.get(Part('x'))
    const seen = new Set<string>()
    for (let death = 0; death < limits.restarts; death++) {
      seen.add(await client.ask({}))
      const pending = failed(client.nap({ ms: 60_000 }, { withinMs: 90_000 }))
      await host.pause(10)
      await host.supervisor.kill('x')
      assert.match(await pending, /^Restarted: /)
    }
    seen.add(await client.ask({}))
    assert.is(seen.size, limits.restarts + 1)
  })
})

restarts.run()

const stops = suite('starts and stops')

stops('an actor that is asked to stop while it waits to restart stays down', async () => {
  let healthy = true
  await withHost({ x: { start: () => (healthy ? undefined : boom()) } }, async (host) => {
    await host.supervisor.startAll()
    healthy = false
    await host.supervisor.kill('x')
    await host.pause(10)
    assert.is(host.state('x'), 'restarting')
    assert.equal(await host.supervisor.stop('x'), ['x'])
    assert.is(host.state('x'), 'stopped')
    await host.pause(10_000)
    assert.is(host.state('x'), 'stopped')
  })
})

stops('an actor that is asked to stop while it starts never serves, and whoever started it is told', async () => {
  for (const thread of ['x', 'shared']) {
    await withHost({ x: { thread, start: ({ clock }) => pause({ clock }, 1_000) }, beside: { thread: 'shared' } }, async (host) => {
      await host.supervisor.start('beside')
      const started = failed(host.supervisor.start('x'))
      await host.pause(500)
      await host.supervisor.stop('x')
      assert.match(await started, /^StartFailed: x was stopped: asked to stop/)
      await host.pause(5_000)
      assert.is(host.state('x'), 'stopped')
      assert.not(host.told.includes('x serving'))
      assert.match(await host.ask('beside'), /^beside/)
    })
  }
})

stops('an actor that is started while it stops serves as a new incarnation, and not before', async () => {
  await withHost({ x: { lifecycle: ({ clock }) => ({ stop: () => pause({ clock }, 1_000) }) } }, async (host) => {
    await host.supervisor.startAll()
    const before = await host.ask('x')
    const stopped = host.supervisor.stop('x')
    await host.pause(100)
    await host.supervisor.start('x')
    await stopped
    assert.is(host.state('x'), 'serving')
    assert.is.not(await host.ask('x'), before)
    const order = host.told.slice(2)
    assert.equal(order, ['x stopping', 'x stopped', 'x starting', 'x serving'])
  })
})

stops('a client that was asked for before its actor was started works once it was, and after a stop and a start', async () => {
  await withHost({ x: { manual: true }, d: { needs: ['x'], manual: true } }, async (host) => {
    const early = host.ask('x', 60_000)
    await host.pause(20_000)
    await host.supervisor.startMany([{ name: 'd' }, { name: 'x' }])
    assert.match(await early, /^x \d+$/)
    await host.supervisor.stop('x')
    await host.supervisor.startMany([{ name: 'x' }, { name: 'd' }])
    assert.match(await host.ask('d', 500), /^d \d+, x \d+$/)
    assert.match(await host.ask('x', 500), /^x \d+$/)
  })
})

stops('an actor whose stop never ends is ended with its thread; who shares that thread comes back', async () => {
  let hangs = true
  await withHost({
    x: { thread: 't', lifecycle: () => ({ stop: async () => { if (hangs) await never } }) }, beside: { thread: 't' },
  }, async (host) => {
    await host.supervisor.startAll()
    const before = await host.ask('beside')
    const ms = await host.elapsed(() => host.supervisor.stop('x'))
    assert.ok(ms >= limits.stopMs && ms < 3 * limits.stopMs, `${ms} ms`)
    assert.ok(host.logs.some((line) => line.startsWith('x: x did not stop')), host.logs.join())
    assert.is.not(await host.ask('beside'), before)
    assert.equal(['x', 'beside'].map(host.state), ['stopped', 'serving'])
    hangs = false
    await host.supervisor.start('x')
    assert.match(await host.ask('x'), /^x \d+$/)
  })
})

stops('an actor that dies as it stops holds nobody up', async () => {
  await withHost({ x: { lifecycle: () => ({ stop: () => never }) } }, async (host) => {
    await host.supervisor.startAll()
    const ms = await host.elapsed(async () => {
      const stopped = host.supervisor.stop('x')
      await host.pause(100)
      await host.supervisor.kill('x')
      await stopped
    })
    assert.ok(ms < 1_000, `${ms} ms`)
    assert.is(host.state('x'), 'stopped')
  })
})

stops('a stop that throws is told, and leaves the store free', async () => {
  await withHost({
    x: { thread: 't', start: ({ store }) => void store.put('a', new Uint8Array(1)), lifecycle: () => ({ stop: async () => boom() }) },
    beside: { thread: 't' },
  }, async (host) => {
    await host.supervisor.startAll()
    const beside = await host.ask('beside')
    await host.supervisor.stop('x')
    assert.equal(host.logs, ['x: Its stop failed: Planted'])
    await host.supervisor.start('x')
    assert.is(await host.ask('beside'), beside)
    assert.match(await host.ask('x'), /^x \d+$/)
  }, { stores: true })
})

stops('everything stops before what it needs, and what was accepted is answered', async () => {
  await withHost({ x: {}, d: { needs: ['x'] }, e: { needs: ['d'] }, other: {} }, async (host) => {
    await host.supervisor.startAll()
    const nap = host.supervisor.get(Part('x')).nap({ ms: 2_000 })
    await host.pause(10)
    await host.supervisor.stopAll()
    assert.is(await nap, 'slept')
    const stopped = host.told.filter((event) => event.endsWith('stopped') && !event.startsWith('other'))
    assert.equal(stopped, ['e stopped', 'd stopped', 'x stopped'])
    assert.is(host.state('other'), 'stopped')
  })
})

stops('a call that is not done in time is cut, and one that comes while an actor stops is refused', async () => {
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    const client = host.supervisor.get(Part('x'))
    const long = failed(client.nap({ ms: 60_000 }, { withinMs: 90_000 }))
    await host.pause(10)
    const ms = await host.elapsed(async () => {
      const stopped = host.supervisor.stop('x')
      await host.pause(1_000)
      assert.match(await failed(client.ask({})), /^Unavailable: x stops/)
      await stopped
    })
    assert.match(await long, /^Restarted: /)
    assert.ok(ms >= limits.stopMs && ms < limits.stopMs + 1_000, `${ms} ms`)
  })
})

stops('a stop of everything while actors restart and start ends them all, and nothing starts afterwards', async () => {
  let healthy = true
  let held = 0
  const hold = () => {
    held++
    return () => void held--
  }
  await withHost({
    x: { start: () => (healthy ? undefined : boom()) }, d: { needs: ['x'] }, slow: { start: ({ clock }) => pause({ clock }, 3_000), manual: true },
  }, async (host) => {
    await host.supervisor.startAll()
    const slow = failed(host.supervisor.start('slow'))
    healthy = false
    await host.supervisor.kill('x')
    await host.pause(20)
    const stopped = host.supervisor.stopAll()
    assert.match(await failed(host.supervisor.start('x')), /^StartFailed: The supervisor stops/)
    await stopped
    assert.match(await slow, /^StartFailed: slow was stopped/)
    const told = host.told.length
    await host.pause(30_000)
    assert.equal(['x', 'd', 'slow'].map(host.state), ['stopped', 'stopped', 'stopped'])
    assert.is(host.told.length, told)
    assert.is(held, 0)
    assert.equal(await host.supervisor.inspect().then((all) => all.map(({ actor }) => actor)), ['supervisor'])
    assert.is(host.trace.all.get('step')?.length, 0)
  }, { platform: (platform) => ({ ...platform, host: { ...platform.host, hold } }) })
})

stops('a start that takes too long fails, and can be tried again', async () => {
  let stuck = true
  await withHost({ x: { start: async () => { if (stuck) await never } } }, async (host) => {
    assert.match(await failed(host.supervisor.startAll()), /^StartFailed: x did not start within 3000 ms/)
    assert.is(host.state('x'), 'failed')
    stuck = false
    await host.supervisor.start('x')
    assert.match(await host.ask('x'), /^x \d+$/)
  }, { startMs: 3_000 })
})

stops('on the first start the error goes to whoever started it, and to whoever waits for it', async () => {
  await withHost({ x: { start: boom }, d: { needs: ['x'] } }, async (host) => {
    const [x, d] = await Promise.all([failed(host.supervisor.start('x')), failed(host.supervisor.start('d'))])
    assert.is(x, 'StartFailed: x did not start: Planted')
    assert.is(d, x)
    assert.equal(['x', 'd'].map(host.state), ['failed', 'failed'])
    assert.not(host.told.includes('x restarting'))
    assert.match(await failed(host.supervisor.start('nobody')), /^StartFailed: There is no such actor: nobody/)
  })
})

stops('an actor cannot start while what it needs is not started', async () => {
  await withHost({ x: { manual: true }, d: { needs: ['x'], manual: true } }, async (host) => {
    assert.match(await failed(host.supervisor.start('d')), /^StartFailed: d needs an actor that does not serve: x \(stopped\)/)
  })
})

stops('needs that form a circle, and a need that is not there, are refused before anything starts', async () => {
  let starts = 0
  const start = (): void => void starts++
  assert.match(await failed(withHost({ a: { needs: ['b'], start }, b: { needs: ['c'], start }, c: { needs: ['a'], start } }, async () => {})),
    /Actors need each other in a circle: a → b → c → a/)
  assert.match(await failed(withHost({ a: { needs: ['ghost'], start } }, async () => {})), /a needs an actor that is not there: ghost/)
  assert.is(starts, 0)
})

stops('an actor that does not admit the caller closes the link, and says so', async () => {
  await withHost({ x: { lifecycle: () => ({ admit: (peer) => peer.actor === 'd' }) }, d: { needs: ['x'] } }, async (host) => {
    await host.supervisor.startAll()
    assert.match(await host.ask('d'), /^d \d+, x \d+$/)
    assert.match(await failed(host.ask('x')), /^(Denied: x does not admit supervisor|Unavailable)/)
  })
})

stops('steps are kept up to a limit, and told beyond it', async () => {
  await withHost({ x: {} }, async (host) => {
    let told = 0
    host.trace.on('step', () => void told++)
    for (let number = 0; number < limits.steps + 5; number++) {
      host.trace.emit('step', { host: 'ood1', actor: 'x', at: 0, sequence: 'test', number, evidence: {} })
    }
    assert.is(host.supervisor.steps().length, limits.steps)
    assert.is(told, limits.steps + 5)
  })
})

stops('one-way sends that found nobody are counted', async () => {
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    await host.ask('x')
    await host.supervisor.stop('x')
    for (let sent = 0; sent < 3; sent++) host.supervisor.get(Part('x')).note({})
    const own = (await host.supervisor.inspect()).find(({ actor }) => actor === 'supervisor')
    assert.is(own?.deadLetters, 3)
  })
})

stops.run()
