import type { ActorDefinition } from './actor.ts'
import { createActorHost, type ActorHost } from './actor-host.ts'
import { Restarted, StartFailed, Unavailable } from './errors.ts'
import type { Platform } from './platform/ports.ts'
import type { TrustedDevice, WorkerControl, WorkerEvent } from './worker.ts'

export interface WorkerControlOptions {
  readonly platform: Platform | Promise<Platform>
  /** The default export of an actor's module. */
  readonly load: (url: string) => Promise<ActorDefinition>
  readonly emit: (event: WorkerEvent) => void
}

/** What a worker answers to its supervisor; in simulation the same object, called through the scheduler. */
export function createWorkerControl(options: WorkerControlOptions): WorkerControl {
  const hosts = new Map<string, ActorHost>()
  /** As last said: newer than that of a start message that came before. */
  let devices: readonly TrustedDevice[] | undefined
  const hostOf = (actor: string): ActorHost => {
    const host = hosts.get(actor)
    if (!host) throw new StartFailed(`The worker has no such actor: ${actor}`, { actor })
    return host
  }
  return {
    async load(given) {
      const { actor } = given
      const [platform, definition] = await Promise.all([options.platform, options.load(given.module)])
      if (definition?.protocol?.name === undefined || typeof definition.start !== 'function') {
        throw new StartFailed(`The module has no actor as its default export: ${given.module}`, { actor })
      }
      const random = platform.random.fork(`${actor} ${given.incarnation}`)
      const key = platform.keys.generate(random.fork('link key'))
      const start = { ...given, devices: devices ?? given.devices }
      const own = { ...platform, random }
      hosts.set(actor, createActorHost({ start, definition, platform: own, key, emit: options.emit }))
      const { servesWithout = [] } = definition
      const needs = Object.values(definition.needs).map((need) => need.name)
      const hard = needs.filter((name) => !servesWithout.includes(name))
      return { linkKey: key.public.jwk, needs: hard, uses: servesWithout }
    },
    async run(actor, given, introductions, ends) {
      const host = hostOf(actor)
      const running = host.run(given)
      // Links come up beside the start function: a start that does not use them does not wait for them
      const linking = introductions.map((introduction, index) => host.introduce(introduction, ends[index]))
      await Promise.all([running, ...linking])
    },
    introduce: (actor, introduction, end) => hostOf(actor).introduce(introduction, end),
    async trust(now) {
      devices = now
      for (const host of hosts.values()) host.trust(now)
    },
    detach: async (actor, protocol, reason, hasEnded) =>
      hosts.get(actor)?.callerOf(protocol)?.detach(hasEnded ? new Restarted(reason) : new Unavailable(reason)),
    release: async (actor, caller) => hosts.get(actor)?.release(caller),
    carry: async (actor, id, wanted, end) => hostOf(actor).carriage.carry(id, wanted, end),
    releaseCarried: async (actor, id) => hosts.get(actor)?.carriage.release(id),
    accepted: async (actor, id, outcome, end) => hosts.get(actor)?.carriage.answer(id, outcome, end),
    acceptedGone: async (actor, id) => hosts.get(actor)?.carriage.gone(id),
    inspect: async () => [...hosts.values()].map((host) => host.inspect()),
    moveStore: (actor, to) => hostOf(actor).store.move(to),
    async renewCredentials(credentials) {
      for (const host of hosts.values()) await host.store.renewCredentials(credentials)
    },
    beat: async () => (await options.platform).host.usage().heapBytes,
    async stop(actor, withinMs) {
      const host = hosts.get(actor)
      await host?.stop(withinMs)
      if (hosts.get(actor) === host) hosts.delete(actor)
    },
  }
}
