import { InvalidArgument, StartFailed } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Platform } from '../platform/ports.ts'
import type { ProcessStart } from '../supervision.ts'
import type { ActorEvent, Trace } from '../trace.ts'
import { createPremises } from './premises.ts'
import { ProcessLife, type Environment } from './process-life.ts'

export { ProcessNotAllowed } from './allowed.ts'

/** A service that is a program of its own, as its host's supervisor sees it. */
export interface ProcessState {
  readonly name: string
  readonly state: ActorEvent['state']
  /** Grows with every start, as the incarnation of an actor does. */
  readonly incarnation: number
  readonly reason: string
  readonly restarts: number
  /** Of this state, in epoch milliseconds; 0 before the first. */
  readonly since: number
  readonly processId: number | undefined
}

export interface ProcessesOptions {
  readonly platform: Platform
  readonly host: string
  readonly trace: Trace
  /** Programs that may be run: absolute paths; one that ends with `/*` stands for all below that folder. */
  readonly allow: readonly string[]
  /** Absolute folder in which each process gets a working folder of its own. */
  readonly folder: string
  /** Where the zone's HTTP is, for `ZONEWRIGHT_GATEWAY`: asked at each start. */
  readonly address?: () => Promise<string | undefined> | string | undefined
}

/** Starts, watches, restarts and stops the services of one host that are processes. */
export interface Processes {
  /**
   * Settles when it serves. One that is wanted already is only waited for. The environment is asked for at each start.
   * @throws ProcessNotAllowed, StartFailed
   */
  start(name: string, program: ProcessStart, environment: Environment): Promise<void>
  /** SIGTERM, then SIGKILL to the group; settles when none of it is left. */
  stop(name: string): Promise<void>
  /** SIGKILL, as a crash; the restart rule does the rest. */
  kill(name: string): Promise<void>
  list(): readonly ProcessState[]
  /** Stops all; nothing starts any more. */
  close(): Promise<void>
}

/** A folder is named by it. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

export function createProcesses(options: ProcessesOptions): Processes {
  const premises = createPremises(options)
  const lives = new Map<string, ProcessLife>()
  let closed = false
  const lifeOf = (name: string): ProcessLife => {
    const found = lives.get(name)
    if (found) return found
    if (!NAME.test(name)) throw new InvalidArgument(`A service has no such name: ${name}`)
    if (lives.size >= limits.processes) forgetOne(lives)
    const life = new ProcessLife(name, premises)
    lives.set(name, life)
    return life
  }
  return {
    async start(name, program, environment) {
      if (closed) throw new StartFailed(`The host stops: ${name} cannot start`, { actor: name })
      await lifeOf(name).start(program, environment)
    },
    stop: async (name) => lives.get(name)?.stop('asked to stop'),
    kill: async (name) => lives.get(name)?.kill(),
    list: () => [...lives.values()].map(({ name, state, incarnation, reason, restarts, since, processId }) =>
      ({ name, state, incarnation, reason, restarts, since, processId })),
    async close() {
      closed = true
      await Promise.all([premises.ready, ...[...lives.values()].map((life) => life.stop('the zone stops'))])
    },
  }
}

function forgetOne(lives: Map<string, ProcessLife>): void {
  const oldest = [...lives.values()].find(({ state, wanted }) => !wanted && (state === 'stopped' || state === 'failed'))
  if (!oldest) throw new StartFailed(`This host runs ${limits.processes} processes already`, {
    next: 'Place some on other hosts',
  })
  lives.delete(oldest.name)
}
