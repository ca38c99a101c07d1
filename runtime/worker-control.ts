import type { ActorDefinition } from './actor.ts'
import { createActorHost, type ActorHost } from './actor-host.ts'
import { StartFailed } from './errors.ts'
import type { Platform } from './platform/ports.ts'
import type { WorkerControl, WorkerEvent } from './worker.ts'

export interface WorkerControlOptions {
  readonly platform: Platform | Promise<Platform>
  /** The default export of an actor's module. */
  readonly load: (url: string) => Promise<ActorDefinition>
  readonly emit: (event: WorkerEvent) => void
}

/** What a worker answers to its supervisor; in simulation the same object, called through the scheduler. */
export function createWorkerControl(options: WorkerControlOptions): WorkerControl {
  const hosts = new Map<string, ActorHost>()
  const hostOf = (actor: string): ActorHost => {
    const host = hosts.get(actor)
    if (!host) throw new StartFailed(`The worker has no such actor: ${actor}`, { actor })
    return host
  }
  return {
    async load(start) {
      const [platform, definition] = await Promise.all([options.platform, options.load(start.module)])
      if (definition?.protocol?.name === undefined || typeof definition.start !== 'function') {
        throw new StartFailed(`The module has no actor as its default export: ${start.module}`, {
          actor: start.actor,
        })
      }
      const random = platform.random.fork(`${start.actor} ${start.incarnation}`)
      const key = platform.keys.generate(random.fork('link key'))
      hosts.set(
        start.actor,
        createActorHost({ start, definition, platform: { ...platform, random }, key, emit: options.emit }),
      )
      return { linkKey: key.public.jwk, needs: Object.values(definition.needs).map((need) => need.name) }
    },
    async run(actor, given, introductions, ends) {
      const host = hostOf(actor)
      const running = host.run(given)
      // Links come up beside the start function: a start that does not use them does not wait for them
      const linking = introductions.map((introduction, index) => host.introduce(introduction, ends[index]))
      await Promise.all([running, ...linking])
    },
    introduce: (actor, introduction, end) => hostOf(actor).introduce(introduction, end),
    inspect: async () => [...hosts.values()].map((host) => host.inspect()),
    beat: async () => hosts.size,
    async stop(actor, withinMs) {
      const host = hosts.get(actor)
      await host?.stop(withinMs)
      if (hosts.get(actor) === host) hosts.delete(actor)
    },
  }
}
