/** A store that cannot be reached is waited for; deaths are counted as before. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { storeAway, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { Restarts } from '../../runtime/restart.ts'
import { failed, type Host, withHost } from './supervisor-fixture.ts'

const test = suite('a store that is away')

/** Away for longer than six starts that fail by themselves would take, with all their pauses. */
const AWAY_MS = 3 * limits.restartWindowMs

const outage = (host: Host, forMs: number): void => host.world.etcd!.outage(forMs)

test('an actor that ends while its store is away waits for it, says so, and serves when it is back', async () => {
  await withHost({ x: {}, d: { needs: ['x'] } }, async (host) => {
    await host.supervisor.startAll()
    outage(host, AWAY_MS)
    await host.supervisor.kill('x')
    await host.pause(AWAY_MS - 1_000)
    assert.ok(['starting', 'restarting'].includes(host.state('x')), host.state('x'))
    const { reason, restarts } = host.supervisor.list().find(({ name }) => name === 'x')!
    assert.match(reason, /etcd did not answer|did not answer/, 'whoever lists the actors sees why')
    assert.is(restarts, 1, 'its death; to wait is none')
    const told = host.logs.filter((line) => line.startsWith('x: Its store is away'))
    assert.ok(told.length > 2 && told.length < 8, `less and less often:\n${told.join('\n')}`)
    await host.pause(1_000 + 2 * limits.storeAwayMsMax + limits.storeCallMs)
    assert.equal(['x', 'd'].map(host.state), ['serving', 'serving'])
    assert.match(await host.ask('d'), /^d \d+, x \d+$/)
    assert.not(host.told.includes('x failed'))
  }, { stores: 'etcd' })
})

test('what fails to start because the store went away meanwhile waits as well, whatever it says of it', async () => {
  let away: (() => void) | undefined
  const start = ({ store }: { store: { get(key: string): Promise<unknown> } }): Promise<void> | void => {
    if (!away) return
    away()
    return store.get('a').then(() => {}, () => { throw new Error('It says something else') })
  }
  await withHost({ x: { start } }, async (host) => {
    await host.supervisor.startAll()
    // Its store opens each time, and is away before the start is over
    away = () => outage(host, 2 * limits.storeCallMs + 1_000)
    await host.supervisor.kill('x')
    await host.pause(AWAY_MS)
    assert.not(host.told.includes('x failed'))
    away = undefined
    await host.pause(4 * limits.storeCallMs)
    assert.is(host.state('x'), 'serving')
  }, { stores: 'etcd' })
})

test('nobody is waited for who only says that the store is away, nor where there is none in etcd', async () => {
  for (const stores of ['etcd', true] as const) {
    let healthy = true
    const start = (): void => {
      if (!healthy) throw storeAway(new Unavailable('It says so'))
    }
    await withHost({ x: { start } }, async (host) => {
      await host.supervisor.startAll()
      healthy = false
      await host.supervisor.kill('x')
      await host.pause(limits.restartWindowMs)
      assert.is(host.state('x'), 'failed')
      assert.match(host.events.at(-1)?.reason ?? '', /^x died more than 5 times/)
    }, { stores })
  }
})

test('deaths count while its store is there, also between two times that it is away', async () => {
  await withHost({ x: {} }, async (host) => {
    await host.supervisor.startAll()
    for (let death = 0; death <= limits.restarts; death++) {
      outage(host, limits.storeCallMs + 1_000)
      await host.supervisor.kill('x')
      await host.pause(9_000)
    }
    assert.is(host.state('x'), 'failed')
  }, { stores: 'etcd' })
})

test('a first start does not wait: whoever starts it is told', async () => {
  await withHost({ x: {} }, async (host) => {
    outage(host, AWAY_MS)
    assert.match(await failed(host.supervisor.startAll()), /^Unavailable: x did not start/)
    assert.is(host.state('x'), 'failed')
  }, { stores: 'etcd' })
})

test('it is tried after the least time, and after twice as long each time up to the most', async () => {
  await withHost({ x: {} }, async ({ platform }) => {
    const told: string[] = []
    const restarts = new Restarts('x', platform.random.fork('test'), (message) => void told.push(message))
    const away = storeAway(new Unavailable('away'))
    const { storeAwayMsMin: min, storeAwayMsMax: max } = limits
    for (let attempt = 0; attempt < 40; attempt++) {
      const next = restarts.after('away', away, 0)
      assert.not.instance(next, Error)
      const { waitMs } = next as Exclude<typeof next, Error>
      const most = Math.min(max, min * 2 ** attempt)
      assert.ok(waitMs >= most / 2 && waitMs < most, `${attempt}: ${waitMs}`)
    }
    assert.is(told.length, 6, 'the first attempt, and the 2nd, 4th, 8th, 16th and 32nd')
  })
})

test.run()
