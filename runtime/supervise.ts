import type { Platform, SigningKey } from './platform/ports.ts'
import { openPlatform } from './platform/index.ts'
import type { Client, Protocol } from './protocol.ts'
import type { ActorSpec } from './spec.ts'
import { folderOf } from './store/location.ts'
import { Supervisor } from './supervisor.ts'
import { createTrace, type Trace } from './trace.ts'

export interface SuperviseOptions {
  readonly platform?: Platform
  readonly zone?: string
  readonly host?: string
  /** Certifies the actors' link keys. Default: one made for this run. */
  readonly device?: SigningKey
  readonly trace?: Trace
  /** Folder for the actors' stores. Default: in memory. */
  readonly stores?: string
  readonly spans?: boolean
}

export interface Supervised {
  readonly trace: Trace
  get<P extends Protocol>(protocol: P): Client<P>
  list: Supervisor['list']
  /** Mailboxes, links and counters of every actor that answers. */
  inspect: Supervisor['inspect']
  /** Ends an actor's thread at once, as a crash would. */
  kill(name: string): Promise<void>
  /** Starts an actor that was not started with the others, or that stays down after its last death. */
  start(name: string): Promise<void>
  /** Stops every actor, each before what it needs. */
  stop(): Promise<void>
}

/**
 * Starts actors on this host, each in its worker and after what it needs; settles when all serve.
 * @throws NeedsCycle, StartFailed, or what an actor's start function threw; nothing is left running then
 */
export async function supervise(specs: readonly ActorSpec[], options: SuperviseOptions = {}): Promise<Supervised> {
  const platform = options.platform ?? await openPlatform()
  const host = options.host ?? 'localhost'
  const device = options.device ?? platform.keys.generate(platform.random.fork('device'))
  const supervisor = new Supervisor({
    platform, zone: options.zone ?? 'local', host, device, devices: [{ host, role: 'ood', jwk: device.public.jwk }],
    trace: options.trace ?? createTrace(), kernelActors: [], spans: options.spans ?? false,
    ...(options.stores === undefined ? {} : { stores: folderOf(options.stores) }),
  }, specs)
  try {
    await supervisor.load()
    await supervisor.startAll()
  } catch (error) {
    await supervisor.stopAll()
    throw error
  }
  return {
    trace: supervisor.trace,
    get: (protocol) => supervisor.get(protocol),
    list: () => supervisor.list(),
    inspect: () => supervisor.inspect(),
    kill: (name) => supervisor.kill(name),
    start: (name) => supervisor.start(name),
    stop: () => supervisor.stopAll(),
  }
}
