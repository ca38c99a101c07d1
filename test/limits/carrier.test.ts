/** What bounds the carrying of links: a carrier and its supervisor, in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import type { Accepted } from '../../runtime/carrier.ts'
import { limits } from '../../runtime/limits.ts'
import { array, call, number, object, protocol, string } from '../../runtime/protocol.ts'
import type { SimulateOptions } from '../../runtime/sim/simulate.ts'
import { worker } from '../../runtime/spec.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace } from '../../runtime/trace.ts'
import { pause, simulateWith } from '../runtime/sim-fixture.ts'

const test = suite('limits of carriers')

const Clerk = protocol('clerk', {})
const Porter = protocol('porter', {
  /** Lets in as many callers at once, and says what became of each. */
  accept: call(object({ count: number() }), array(string())),
  /** Lets go of one. */
  release: call(object({}), object({})),
})
const urlOf = (name: string): URL => new URL(`${name}.js`, 'sim:///')
const never = new Promise<void>(() => {})

const porter = actor(Porter, {}, (start) => {
  const held: Accepted[] = []
  start.carry({
    async open({ protocol: asked }, channel) {
      channel.receive(() => {}, () => {})
      // Answers after so many milliseconds
      await pause(start, Number(asked))
      return { host: 'node2', incarnation: 1, gone: never }
    },
  })
  const accept = async (): Promise<string> => {
    try {
      held.push(await start.accept('clerk', { host: 'ood1', actor: 'desk', incarnation: 1 }))
      return 'accepted'
    } catch (error) {
      return (error as Error).name
    }
  }
  return {
    accept: ({ count }) => Promise.all(Array.from({ length: count }, accept)),
    release() {
      held.pop()!.release()
      return {}
    },
  }
})
const modules = new Map<string, ActorDefinition>([
  [urlOf('clerk').href, actor(Clerk, {}, () => ({})) as unknown as ActorDefinition],
  [urlOf('porter').href, porter as unknown as ActorDefinition],
])

interface Given {
  readonly supervisor: Supervisor
  /** Joins a channel to a host that answers after so many milliseconds. */
  readonly open: (ms?: number) => ReturnType<ReturnType<ReturnType<Supervisor['carriedBy']>>['open']>
  /** Carried, accepted and on their way, at the carrier and at its supervisor. */
  readonly counts: () => Promise<string>
  readonly pause: (ms: number) => Promise<void>
}

const withPorter = (run: (given: Given) => Promise<void>, options: Partial<SimulateOptions> = {}) =>
  simulateWith(async (world) => {
    const { platform } = world.startProcess('ood1')
    const device = platform.keys.generate(platform.random)
    const supervisor = new Supervisor({
      platform, zone: 'z1', host: 'ood1', device, trace: createTrace(), kernelActors: [],
      devices: [{ host: 'ood1', role: 'ood', jwk: device.public.jwk }],
    }, [worker(Clerk, urlOf('clerk')), worker(Porter, urlOf('porter'), { carries: true })])
    await supervisor.load()
    await supervisor.startAll()
    await run({
      supervisor, pause: (ms) => pause(world, ms),
      open: (ms = 0) => supervisor.carriedBy('porter')(String(ms)).open({ host: 'ood1', actor: 'a', incarnation: 1 }),
      counts: async () => (await supervisor.inspect()).flatMap(({ channels }) => channels ?? [])
        .map(({ carried, accepted, waiting }) => `${carried},${accepted},${waiting}`).join(' '),
    })
    await supervisor.stopAll()
  }, { modules, maxEvents: 1_000_000, ...options })

const nameOf = (work: Promise<unknown>): Promise<string> => work.then(() => '', (error: Error) => error.name)

test('a host has as many channels to others as the limit, one more is Overloaded, and one that goes makes place', () =>
  withPorter(async ({ open, counts, pause: wait }) => {
    const opened = await Promise.all(Array.from({ length: limits.carriedChannels }, () => open()))
    assert.is(await counts(), `${limits.carriedChannels},0,0 ${limits.carriedChannels},0,0`)
    assert.is(await nameOf(open()), 'Overloaded')
    opened[0]!.release()
    assert.is(await nameOf(open()), '')
    assert.is(await nameOf(open()), 'Overloaded')
    for (const { release } of opened) release()
    await wait(1_000)
    assert.is(await counts(), '1,0,0 1,0,0')
  }).then(() => {}))

test('a carrier has as many callers as the limit, of which as many wait as may; one more is Overloaded', () =>
  withPorter(async ({ supervisor, counts }) => {
    const carrier = supervisor.get(Porter)
    const accept = async (count: number): Promise<string> => {
      const all = await carrier.accept({ count })
      return [...new Set(all)].map((one) => `${all.filter((each) => each === one).length} ${one}`).join(', ')
    }
    const batch = limits.carrierAccepts
    assert.is(await accept(batch + 1), `${batch} accepted, 1 Overloaded`)
    for (let held = batch; held < limits.carriedChannels; held += batch) {
      assert.is(await accept(batch), `${batch} accepted`)
    }
    assert.is(await counts(), `0,${limits.carriedChannels},0 0,${limits.carriedChannels},0`)
    assert.is(await accept(1), '1 Overloaded')
    await carrier.release({})
    assert.is(await accept(2), '1 accepted, 1 Overloaded')
  }).then(() => {}))

test('a carrier has the time of the limit to join a channel; one that comes later is let go of', () =>
  withPorter(async ({ open, counts, pause: wait }) => {
    const inTime = await open(limits.carryMs - 100)
    assert.is(await nameOf(open(limits.carryMs + 1)), 'StartFailed')
    inTime.release()
    await wait(1_000)
    assert.is(await counts(), '0,0,0 0,0,0')
  }).then(() => {}))

test('a caller waits for the supervisor as long as the limit; an answer that comes later is let go of', async () => {
  for (const [extraMs, outcome] of [[-100, 'accepted'], [1, 'Unavailable']] as const) {
    await withPorter(async ({ supervisor, counts, pause: wait }) => {
      assert.equal(await supervisor.get(Porter).accept({ count: 1 }), [outcome])
      await wait(2 * limits.carrierAcceptMs)
      if (outcome === 'accepted') await supervisor.get(Porter).release({})
      await wait(1_000)
      assert.is(await counts(), '0,0,0 0,0,0')
    }, {
      controlDelayUs: ({ kind }) => (kind === 'accepted' ? (limits.carrierAcceptMs + extraMs) * 1_000 : undefined),
    })
  }
})

test.run()
