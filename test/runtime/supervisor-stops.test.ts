/** Stops in virtual time, at every moment of an actor's life. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { pause } from './sim-fixture.ts'
import { boom, failed, Part, withHost } from './supervisor-fixture.ts'

const never = new Promise<never>(() => {})

const stops = suite('stops')

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
    await withHost(
      { x: { thread, start: ({ clock }) => pause({ clock }, 1_000) }, beside: { thread: 'shared' } },
      async (host) => {
        await host.supervisor.start('beside')
        const started = failed(host.supervisor.start('x'))
        await host.pause(500)
        await host.supervisor.stop('x')
        assert.match(await started, /^StartFailed: x was stopped: asked to stop/)
        await host.pause(5_000)
        assert.is(host.state('x'), 'stopped')
        assert.not(host.told.includes('x serving'))
        assert.match(await host.ask('beside'), /^beside/)
      },
    )
  }
})

stops('an actor whose stop never ends is ended with its thread; who shares that thread comes back', async () => {
  let hangs = true
  await withHost({
    x: {
      thread: 't',
      lifecycle: () => ({
        stop: async () => {
          if (hangs) await never
        },
      }),
    },
    beside: { thread: 't' },
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
    x: {
      thread: 't',
      start: ({ store }) => void store.put('a', new Uint8Array(1)),
      lifecycle: () => ({ stop: async () => boom() }),
    },
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
    x: { start: () => (healthy ? undefined : boom()) },
    d: { needs: ['x'] },
    slow: { start: ({ clock }) => pause({ clock }, 3_000), manual: true },
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
    assert.is(host.trace.all.get('step')?.length ?? 0, 0)
  }, { platform: (platform) => ({ ...platform, host: { ...platform.host, hold } }) })
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

stops('many inspections leave no listener behind', async () => {
  let listeners = 0
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    for (let round = 0; round < 20; round++) assert.is((await host.supervisor.inspect()).length, 2)
    assert.is(listeners, 1)
  }, {
    platform: (platform) => ({
      ...platform,
      host: {
        ...platform.host,
        spawn(options) {
          const worker = platform.host.spawn(options)
          return { ...worker, onExit: (listener) => (listeners++, worker.onExit(listener)) }
        },
      },
    }),
  })
})

stops('one that is ended before it loads loads nothing, and holds no process', async () => {
  let held = 0
  await withHost({ x: {} }, async ({ supervisor }) => {
    assert.is(held, 1)
    await supervisor.crash('killed')
    assert.is(held, 0)
    const failure = await supervisor.load().then(() => '', ({ code }: { code: string }) => code)
    assert.equal([failure, held], ['StartFailed', 0])
  }, {
    platform: (platform) => ({
      ...platform,
      host: {
        ...platform.host,
        hold() {
          const release = platform.host.hold()
          held++
          return () => {
            held--
            release()
          }
        },
      },
    }),
  })
})

stops.run()
