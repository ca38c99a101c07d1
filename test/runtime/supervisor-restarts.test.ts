/** Restarts in virtual time: every moment is exact, and every death is where the test puts it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { RestartBudget } from '../../runtime/restart.ts'
import { deferred } from '../../runtime/within.ts'
import { pause } from './sim-fixture.ts'
import { boom, failed, type Host, Part, type PartClient, settable, withHost } from './supervisor-fixture.ts'

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
    assert.ok(
      actual.every((wait, index) => Math.abs(wait - expected[index]!) < 1),
      `${actual.join()} is not ${expected.join()}`,
    )
    assert.is(actual.length, expected.length)
    assert.is(host.state('x'), 'failed')
    assert.match(
      await failed(host.supervisor.kill('x').then(() => host.ask('x', 100))),
      /^Unavailable: There was no link/,
    )
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

restarts(
  'what needs an actor that stays down goes down with it, others do not, and all can be started again',
  async () => {
    let healthy = true
    await withHost({
      x: { start: () => (healthy ? undefined : boom()) },
      d: { needs: ['x'] },
      e: { needs: ['d'] },
      other: {},
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
  },
)

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

restarts(
  'a need that dies while its dependent starts is not lost: the dependent starts again with a living link',
  async () => {
    let starts = 0
    await withHost({
      x: {},
      d: {
        needs: ['x'],
        start: async ({ clock }) => {
          starts++
          await pause({ clock }, 1_000)
        },
      },
    }, async (host) => {
      const started = host.supervisor.startAll()
      await host.pause(500)
      assert.is(host.state('d'), 'starting')
      await host.supervisor.kill('x')
      await started
      assert.match(await host.ask('d', 200), /^d \d+, x \d+$/)
      assert.is(starts, 2)
    })
  },
)

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
    x: {},
    e: { needs: ['d'], lifecycle },
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
          background(async () => {
            while (!stopping.aborted) {
              ticks++
              await pause({ clock }, 10)
            }
          })
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
  await withHost(
    { x: { start: ({ background }) => void (++starts === 1 && background(() => failing.promise)) } },
    async (host) => {
      await host.supervisor.startAll()
      failing.reject(new Error('The feed broke'))
      await host.pause(1_000)
      assert.equal(host.events.filter(({ state }) => state === 'died').map(({ reason }) => reason), ['The feed broke'])
      assert.is(host.state('x'), 'serving')
    },
  )
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

restarts(
  "the supervisor's own clients survive restart after restart, and calls in flight say that they were cut",
  async () => {
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
  },
)

restarts.run()
