/** Starts in virtual time, and what a supervisor offers beside. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ActorStart } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { pause } from './sim-fixture.ts'
import { boom, failed, withHost } from './supervisor-fixture.ts'

const never = new Promise<never>(() => {})

const starts = suite('starts')

starts('an actor that is started while it stops serves as a new incarnation, and not before', async () => {
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

starts(
  'a client that was asked for before its actor was started works once it was, and after a stop and a start',
  async () => {
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
  },
)

starts('a start that takes too long fails, and can be tried again', async () => {
  let stuck = true
  await withHost({
    x: {
      start: async () => {
        if (stuck) await never
      },
    },
  }, async (host) => {
    assert.match(await failed(host.supervisor.startAll()), /^StartFailed: x did not start within 3000 ms/)
    assert.is(host.state('x'), 'failed')
    stuck = false
    await host.supervisor.start('x')
    assert.match(await host.ask('x'), /^x \d+$/)
  }, { startMs: 3_000 })
})

starts('on the first start the error goes to whoever started it, and to whoever waits for it', async () => {
  await withHost({ x: { start: boom }, d: { needs: ['x'] } }, async (host) => {
    const [x, d] = await Promise.all([failed(host.supervisor.start('x')), failed(host.supervisor.start('d'))])
    assert.is(x, 'StartFailed: x did not start: Planted')
    assert.is(d, x)
    assert.equal(['x', 'd'].map(host.state), ['failed', 'failed'])
    assert.not(host.told.includes('x restarting'))
    assert.match(await failed(host.supervisor.start('nobody')), /^StartFailed: There is no such actor: nobody/)
  })
})

starts('an actor cannot start while what it needs is not started', async () => {
  await withHost({ x: { manual: true }, d: { needs: ['x'], manual: true } }, async (host) => {
    assert.match(
      await failed(host.supervisor.start('d')),
      /^StartFailed: d needs an actor that does not serve: x \(stopped\)/,
    )
  })
})

starts('needs that form a circle, and a need that is not there, are refused before anything starts', async () => {
  let starts = 0
  const start = (): void => void starts++
  assert.match(
    await failed(
      withHost({ a: { needs: ['b'], start }, b: { needs: ['c'], start }, c: { needs: ['a'], start } }, async () => {}),
    ),
    /Actors need each other in a circle: a → b → c → a/,
  )
  assert.match(
    await failed(withHost({ a: { needs: ['ghost'], start } }, async () => {})),
    /a needs an actor that is not there: ghost/,
  )
  assert.is(starts, 0)
})

starts('an actor that does not admit the caller closes the link, and says so', async () => {
  await withHost(
    { x: { lifecycle: () => ({ admit: (peer) => peer.actor === 'd' }) }, d: { needs: ['x'] } },
    async (host) => {
      await host.supervisor.startAll()
      assert.match(await host.ask('d'), /^d \d+, x \d+$/)
      assert.match(await failed(host.ask('x')), /^(Denied: x does not admit supervisor|Unavailable)/)
    },
  )
})

starts('steps are kept up to a limit, and told beyond it', async () => {
  const start = ({ step }: ActorStart): void => {
    for (let number = 0; number < limits.steps + 5; number++) step('test', number, {})
  }
  await withHost({ x: { start } }, async (host) => {
    let told = 0
    host.trace.on('step', () => void told++)
    await host.supervisor.startAll()
    assert.is(host.supervisor.steps().length, limits.steps)
    assert.is(told, limits.steps + 5)
  })
})

starts.run()
