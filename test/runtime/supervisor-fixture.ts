import * as assert from 'uvu/assert'
import { actor, type ActorDefinition, type ActorStart, type Lifecycle } from '../../runtime/actor.ts'
import type { Clock, Platform } from '../../runtime/platform/ports.ts'
import { call, type Client, number, object, protocol, send, string } from '../../runtime/protocol.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import { type ActorSpec, worker } from '../../runtime/spec.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { type ActorEvent, createTrace, type Trace } from '../../runtime/trace.ts'
import { pause, simulateWith } from './sim-fixture.ts'

/** Actors of one shape that need each other as a test says, under the real supervisor in virtual time. */
const shape = {
  /** Its incarnation, and those of what it needs. */
  ask: call(object({}), string(), { concurrent: 8 }),
  nap: call(object({ ms: number() }), string(), { concurrent: 8 }),
  napThenAsk: call(object({ ms: number() }), string(), { concurrent: 8 }),
  note: send(object({})),
}
export const Part = (name: string) => protocol(name, shape)
export type PartClient = Client<ReturnType<typeof Part>>

export interface PartOptions {
  readonly needs?: readonly string[]
  readonly thread?: string
  readonly manual?: boolean
  /** Runs before it serves. */
  readonly start?: (start: ActorStart, needs: Readonly<Record<string, PartClient>>) => Promise<void> | void
  readonly lifecycle?: (start: ActorStart, needs: Readonly<Record<string, PartClient>>) => Lifecycle
}

export type Parts = Readonly<Record<string, PartOptions>>

const urlOf = (name: string): URL => new URL(`${name}.js`, 'sim:///')

function definitionOf(name: string, { needs = [], start, lifecycle }: PartOptions): ActorDefinition {
  const protocols = Object.fromEntries(needs.map((need) => [need, Part(need)]))
  return actor(Part(name), { needs: protocols }, async (given) => {
    const clients = given.needs as unknown as Readonly<Record<string, PartClient>>
    await start?.(given as ActorStart, clients)
    const ask = async (_: unknown, cx: unknown): Promise<string> => {
      const asked = needs.map((need) => (cx as Readonly<Record<string, PartClient>>)[need]!.ask({}))
      return [`${name} ${given.self.incarnation}`, ...await Promise.all(asked)].join(', ')
    }
    const nap = async ({ ms }: { ms: number }): Promise<string> => {
      await pause(given, ms)
      return 'slept'
    }
    return {
      handlers: {
        ask,
        nap,
        napThenAsk: async (args: { ms: number }, cx: unknown) => {
          await nap(args)
          return ask({}, cx)
        },
        note: () => {},
      },
      lifecycle: lifecycle?.(given as ActorStart, clients) ?? {},
    }
  }) as unknown as ActorDefinition
}

const specOf = (name: string, { thread = name, manual = false }: PartOptions): ActorSpec =>
  worker(Part(name), urlOf(name), { thread, manual })

export interface Host {
  readonly world: World
  readonly platform: Platform
  readonly supervisor: Supervisor
  readonly trace: Trace
  /** `actor state`, in order. */
  readonly told: string[]
  readonly events: ActorEvent[]
  readonly logs: string[]
  ask(name: string, withinMs?: number): Promise<string>
  state(name: string): string
  pause(ms: number): Promise<void>
  /** Virtual milliseconds that the work took. */
  elapsed(work: () => Promise<unknown>): Promise<number>
}

export interface HostOptions {
  readonly startMs?: number
  /** `etcd` beside the folders of its disks: in the simulated etcd. */
  readonly stores?: boolean | 'etcd'
  /** Its clock, as the supervisor and its workers' threads see it. */
  readonly platform?: (platform: Platform) => Platform
}

/** Loads the actors; the test starts them. */
export async function withHost(
  parts: Parts,
  test: (host: Host) => Promise<void>,
  options: HostOptions = {},
): Promise<void> {
  const modules = new Map(Object.entries(parts).map(([name, part]) => [urlOf(name).href, definitionOf(name, part)]))
  await simulateWith(async (world) => {
    const plain = world.startProcess('ood1').platform
    const platform = options.platform?.(plain) ?? plain
    const trace = createTrace()
    const [told, events, logs]: [string[], ActorEvent[], string[]] = [[], [], []]
    trace.on('actor', (event) => {
      told.push(`${event.actor} ${event.state}`)
      events.push(event)
    })
    trace.on('log', ({ actor: name, message }) => void logs.push(`${name}: ${message}`))
    const device = platform.keys.generate(platform.random.fork('device'))
    const supervisor = new Supervisor({
      platform,
      zone: 'z1',
      host: 'ood1',
      device,
      devices: [{ host: 'ood1', role: 'ood', jwk: device.public.jwk }],
      trace,
      kernelActors: [],
      ...(options.stores === 'etcd' ? { stores: { type: 'etcd', endpoints: [], prefix: '/zone' } }
        : options.stores ? { stores: { type: 'folder', path: '/stores' } } : {}),
      ...(options.startMs === undefined ? {} : { startMs: options.startMs }),
    }, Object.entries(parts).map(([name, part]) => specOf(name, part)))
    await supervisor.load()
    await test({
      world,
      platform,
      supervisor,
      trace,
      told,
      events,
      logs,
      ask: (name, withinMs = 5_000) => supervisor.get(Part(name)).ask({}, { withinMs }),
      state: (name) => supervisor.list().find((each) => each.name === name)?.state ?? '',
      pause: (ms) => pause(world, ms),
      async elapsed(work) {
        const began = world.clock.monotonic()
        await work()
        return world.clock.monotonic() - began
      },
    })
  }, { modules, maxEvents: 200_000, ...(options.stores === 'etcd' ? { etcd: 'beside' } : {}) })
}

export const boom = (): never => {
  throw new Error('Planted')
}

/** A clock whose wall time can be set. */
export function settable(clock: Clock): { clock: Clock; jump(ms: number): void } {
  let offset = 0
  return {
    clock: { ...clock, now: () => clock.now() + offset },
    jump: (ms) => {
      offset += ms
    },
  }
}

/** A thrown ZonewrightError breaks uvu's report; only its class and text are compared. */
export async function failed(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown as Error)
  assert.ok(error, 'it did not fail')
  return `${error?.name}: ${error?.message}`
}
