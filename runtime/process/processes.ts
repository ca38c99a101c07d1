import { StartFailed } from '../errors.ts'
import type { Platform } from '../platform/ports.ts'
import type { ProcessStart } from '../supervision.ts'
import type { ActorEvent, Trace } from '../trace.ts'

/** A service that is a program of its own, as its host's supervisor sees it. */
export interface ProcessState {
  readonly name: string
  readonly state: ActorEvent['state']
  /** Grows with every start, as the incarnation of an actor does. */
  readonly incarnation: number
  readonly reason: string
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
}

/** Starts, watches, restarts and stops the services of one host that are processes. */
export interface Processes {
  /** Settles when it serves. One that is wanted already is only waited for. @throws ProcessNotAllowed, StartFailed */
  start(name: string, process: ProcessStart, env: Readonly<Record<string, string>>): Promise<void>
  /** SIGTERM, then SIGKILL to the group; settles when none of it is left. */
  stop(name: string): Promise<void>
  /** SIGKILL, as a crash; the restart rule does the rest. */
  kill(name: string): Promise<void>
  list(): readonly ProcessState[]
  /** Stops all; nothing starts any more. */
  close(): Promise<void>
}

/** No host runs a process yet. */
export function createProcesses(_options: ProcessesOptions): Processes {
  return {
    start: async (name) => { throw new StartFailed(`This host runs no processes: ${name}`, { actor: name }) },
    stop: async () => {},
    kill: async () => {},
    list: () => [],
    close: async () => {},
  }
}
