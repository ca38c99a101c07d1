import { NotFound, StartFailed } from '../errors.ts'
import type { Host } from '../platform/ports.ts'
import type { User } from '../platform/process-ports.ts'
import type { Shared, SimulatedHost } from './host.ts'
import { idle, ProgramMachine } from './program-machine.ts'
import type { Behaviour, ProgramRun, Signal } from './program-process.ts'
import type { SimulatedThread } from './thread.ts'

export type { Behaviour, ProgramProcess } from './program-process.ts'

/** What a path leads to, on every host. */
export interface ProgramFile {
  readonly run: Behaviour
  /** It is a link to this path. */
  readonly leadsTo?: string
  /** Default: true. */
  readonly executable?: boolean
  /** What bars it to users of their own. */
  readonly closed?: string
}

export interface RunningProgram {
  readonly processId: number
  readonly host: string
  readonly group: number
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly user: User | undefined
  readonly frozen: boolean
}

/**
 * The programs that the hosts of one simulation can run, and what may go wrong with them. Each run of one is a thread
 * of its own, and all that passes between it and whoever started it is an event.
 */
export class Programs {
  readonly #files: ReadonlyMap<string, ProgramFile>
  readonly #user: number | undefined
  readonly #machines = new Map<string, ProgramMachine>()
  #shared: Shared | undefined

  /**
   * @param table what there is to run, by absolute path
   * @param user that zones run as; 0 may choose users for others
   */
  constructor(table: Readonly<Record<string, Behaviour | ProgramFile>>, user?: number) {
    this.#files = new Map(Object.entries(table).map(([path, file]) =>
      [path, typeof file === 'function' ? { run: file } : file]))
    this.#user = user
  }

  /** What the platform of a host's process offers. @throws StartFailed for a second simulation */
  machineOf(host: SimulatedHost, shared: Shared): ProgramMachine {
    this.#shared ??= shared
    if (this.#shared !== shared) throw new StartFailed('These programs were another simulation\'s')
    const found = this.#machines.get(host.name) ?? new ProgramMachine(host, shared, this.#files, this.#user)
    this.#machines.set(host.name, found)
    return found
  }

  /** In order of their ids. */
  running(): readonly RunningProgram[] {
    return [...this.#machines].flatMap(([host, { running }]) => [...running.values()].map((run) => ({
      processId: run.id, host, group: run.group, command: run.spawned.command, env: run.spawned.env,
      user: run.spawned.user, frozen: run.frozen,
    }))).sort((left, right) => left.processId - right.processId)
  }

  /** By another than its supervisor. @throws NotFound */
  kill(processId: number, signal: Signal = 'SIGKILL'): void {
    this.#one(processId, signal).signal(signal, 'observer')
  }

  /** From now on it does nothing and answers nothing; SIGKILL alone ends it. @throws NotFound */
  freeze(processId: number): void {
    this.#one(processId, 'freeze').freeze()
  }

  /** It goes on, with what was due meanwhile. @throws NotFound */
  thaw(processId: number): void {
    this.#one(processId, 'thaw').thaw()
  }

  /** From now on none starts on this host, with this code of the system; undefined ends that. @throws NotFound */
  failStarts(host: string, code: string | undefined): void {
    this.#machine(host, `starts ${code ?? 'well'}`).startFault = code
  }

  /** What ends the groups of a process of this host that dies is dead itself, or back. @throws NotFound */
  loseGuard(host: string, lost: boolean): void {
    this.#machine(host, lost ? 'no guard' : 'a guard').guardLost = lost
  }

  /** Whose each folder of a host was made, by its path. */
  given(host: string): ReadonlyMap<string, User> {
    return this.#machines.get(host)?.given ?? new Map()
  }

  #one(processId: number, what: string): ProgramRun {
    for (const machine of this.#machines.values()) {
      const found = machine.running.get(processId)
      if (!found) continue
      this.#note(found.thread.name, what)
      return found
    }
    throw new NotFound(`There is no such process: ${processId}`)
  }

  #machine(host: string, what: string): ProgramMachine {
    const found = this.#machines.get(host)
    if (!found) throw new NotFound(`There is no such host: ${host}`)
    this.#note(host, what)
    return found
  }

  #note(name: string, what: string): void {
    const { schedule } = this.#shared!
    schedule.note(`${schedule.nowUs} program ${name} ${what}`)
  }
}

/** Where a simulation was given none. */
const none: Pick<Host, 'spawnProcess' | 'machine'> = {
  spawnProcess: async ({ command }) => {
    throw new StartFailed(`The simulator runs no processes: ${command[0]}`)
  },
  machine: {
    condition: async () => idle,
    user: undefined, program: async () => undefined, usersTaken: async () => new Set(),
    giveFolder: async () => {}, endMarked: async () => ({ ended: 0, left: 0 }),
  },
}

/** `processId` and `main` are of the process, `caller` is one of its threads. */
export const programPorts = (
  host: SimulatedHost, shared: Shared, processId: number, main: SimulatedThread, caller: SimulatedThread,
): Pick<Host, 'spawnProcess' | 'machine'> =>
  shared.programs?.machineOf(host, shared).portsOf(caller, main, processId) ?? none
