import { StartFailed } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Host } from '../platform/ports.ts'
import type { Condition, Program, ProcessOptions, SpawnedProcess, User } from '../platform/process-ports.ts'
import { deferred } from '../within.ts'
import type { Shared, SimulatedHost } from './host.ts'
import { ProgramOutput } from './program-output.ts'
import { ProgramRun, type Behaviour, type Exit } from './program-process.ts'
import type { ProgramFile } from './programs.ts'
import type { Range, SeededRandom } from './random.ts'
import { createLane } from './schedule.ts'
import { never, SimulatedThread } from './thread.ts'

/** A simulated machine has nothing to tell of itself. */
export const idle: Condition = {
  processors: 1, load: 0, memoryBytes: 0, memoryFreeBytes: 0, diskBytes: 0, diskFreeBytes: 0, addresses: [],
}

const delays = {
  /** Of spawning one, whether that succeeds or not. */
  spawn: [1_000, 10_000],
  /** From its exit to whoever started it. */
  exit: [50, 2_000],
  /** From the death of a process to what its guard does. */
  guard: [500, 20_000],
  /** Of looking through all processes. */
  look: [500, 5_000],
} as const satisfies Record<string, Range>
const ROUND_US = 20_000

/** What to end: whatever one of these is true of. */
interface Sought {
  readonly group?: number
  readonly mark: string
  readonly user?: number | undefined
}

/** The programs of one host. They outlive the process that started them, for as long as the guard takes or for good. */
export class ProgramMachine {
  readonly running = new Map<number, ProgramRun>()
  /** Whose each folder was made, by its path. */
  readonly given = new Map<string, User>()
  /** Why none starts, as a code of the system. */
  startFault: string | undefined
  /** It was killed with what it guards: nothing ends a group whose supervisor dies. */
  guardLost = false
  readonly #host: SimulatedHost
  readonly #shared: Shared
  readonly #files: ReadonlyMap<string, ProgramFile>
  readonly #user: number | undefined
  readonly #random: SeededRandom
  /** What does not end with any process. */
  readonly #system: SimulatedThread
  /** By the main thread of the process that they end with. */
  readonly #guarded = new WeakMap<SimulatedThread, Set<number>>()

  constructor(host: SimulatedHost, shared: Shared, files: ReadonlyMap<string, ProgramFile>, user: number | undefined) {
    this.#host = host
    this.#shared = shared
    this.#files = files
    this.#user = user
    this.#random = shared.random.fork(`programs ${host.name}`)
    const { schedule } = shared
    this.#system = new SimulatedThread(`${host.name}/system`, this.#random, (error) => schedule.fail(error), host)
  }

  /** As `caller` sees them, a thread of the process whose main thread is `main`. */
  portsOf(caller: SimulatedThread, main: SimulatedThread, processId: number): Pick<Host, 'spawnProcess' | 'machine'> {
    return {
      spawnProcess: (options) => this.#spawn(options, caller, main),
      machine: {
        user: this.#user,
        condition: async () => idle,
        program: (path) => this.#program(path, caller, processId),
        usersTaken: async ({ from, to }) => {
          await this.#pause(caller, this.#random.within(delays.look))
          const users = [...this.running.values()].flatMap(({ spawned }) => spawned.user?.uid ?? [])
          return new Set(users.filter((user) => user >= from && user <= to))
        },
        giveFolder: async (path, user) => void this.given.set(path, user),
        endMarked: (mark) => this.#endAll({ mark }, 0, caller),
      },
    }
  }

  /** One of the table, or else what is on the disk: no program. */
  async #program(path: string, caller: SimulatedThread, processId: number): Promise<Program | undefined> {
    const file = this.#files.get(path)
    if (file) return { path: file.leadsTo ?? path, executable: file.executable ?? true, closed: file.closed }
    const root = await this.#host.openFolder('/', caller, processId)
    return await root.mode(path.slice(1)) === undefined ? undefined : { path, executable: false, closed: undefined }
  }

  #spawn(options: ProcessOptions, caller: SimulatedThread, main: SimulatedThread): Promise<SpawnedProcess> {
    if (!caller.alive) return never()
    const { schedule } = this.#shared
    return new Promise((resolve, reject) => void schedule.after({
      to: caller, lane: caller.lane, delayUs: this.#random.within(delays.spawn), kind: 'spawn',
      from: this.#system.name, payload: JSON.stringify(options),
      task: () => {
        const [name = ''] = options.command
        const file = this.#files.get(name)
        const fault = this.startFault ?? (file ? undefined : 'ENOENT')
        if (!file || fault !== undefined) reject(startFailed(name, fault))
        else resolve(this.#start(file.run, options, caller, main))
      },
    }))
  }

  #start(run: Behaviour, spawned: ProcessOptions, caller: SimulatedThread, main: SimulatedThread): SpawnedProcess {
    const { schedule, next } = this.#shared
    const id = next()
    const output = new ProgramOutput(schedule, this.#random.fork(`output ${id}`), caller, `${this.#host.name}.${id}`)
    const exited = deferred<Exit>()
    let hasExited = false
    const leader = this.#add(id, id, spawned, run, output, (exit) => void schedule.after({
      to: caller, lane: caller.lane, delayUs: this.#random.within(delays.exit), kind: 'exit', from: leader.thread.name,
      payload: `${exit.code ?? exit.signal}`,
      task: () => {
        hasExited = true
        exited.resolve(exit)
      },
    }))
    const groups = this.#guardedBy(main)
    groups.add(id)
    const { mark, user } = spawned
    return {
      processId: id,
      onLine: output.onLine,
      onDropped: output.onDropped,
      onExit: (listener) => void exited.promise.then(listener),
      signal: (name) => {
        if (hasExited) return
        for (const each of this.#found({ group: id, mark: '' })) each.signal(name, caller.name)
      },
      end: async (graceMs) => {
        const { left } = await this.#endAll({ group: id, mark, user: user?.uid }, graceMs, caller)
        groups.delete(id)
        return left
      },
    }
  }

  #add(
    id: number, group: number, spawned: ProcessOptions, run: Behaviour, output: ProgramOutput,
    onExit: (exit: Exit) => void,
  ): ProgramRun {
    const { name: host } = this.#host
    const { schedule, next } = this.#shared
    const added = new ProgramRun({
      id, host, group, spawned, run, schedule, output, random: this.#random.fork(`process ${id}`), on: this.#host,
      transportOf: (thread) => this.#host.portsOf(thread).transport,
      fork: (of, forked, leavesGroup) => {
        const forkedId = next()
        this.#add(forkedId, leavesGroup ? forkedId : of.group, of.spawned, forked, output, () => {})
      },
      onExit: (exit) => {
        this.running.delete(id)
        onExit(exit)
      },
    })
    this.running.set(id, added)
    return added
  }

  /** As the guard of the real ones: a process of its own, which ends the groups once their supervisor has died. */
  #guardedBy(main: SimulatedThread): Set<number> {
    const found = this.#guarded.get(main)
    if (found) return found
    const groups = new Set<number>()
    this.#guarded.set(main, groups)
    main.onEnd(() => {
      if (this.guardLost || groups.size === 0) return
      this.#shared.schedule.after({
        to: this.#system, lane: this.#system.lane, delayUs: this.#random.within(delays.guard), kind: 'guard',
        from: main.name, task: () => {
          for (const group of groups)
            for (const each of this.#found({ group, mark: '' })) each.signal('SIGKILL', this.#system.name)
        },
      })
    })
    return groups
  }

  /** SIGKILL, after `graceMs`, until none is found: what one of them forks meanwhile is found by the next look. */
  async #endAll(
    sought: Sought, graceMs: number, caller: SimulatedThread,
  ): Promise<{ readonly ended: number; readonly left: number }> {
    const { schedule } = this.#shared
    const ended = new Set<number>()
    const beganUs = schedule.nowUs
    for (;;) {
      const passedMs = (schedule.nowUs - beganUs) / 1_000
      await this.#pause(caller, this.#random.within(delays.look))
      const found = this.#found(sought)
      if (found.length === 0 || passedMs >= graceMs + limits.processEndMs) {
        return { ended: ended.size, left: found.length }
      }
      if (passedMs >= graceMs) for (const each of found) {
        ended.add(each.id)
        each.signal('SIGKILL', caller.name)
      }
      await this.#pause(caller, ROUND_US)
    }
  }

  #found({ group, mark, user }: Sought): readonly ProgramRun[] {
    const isMarked = ({ env }: ProcessOptions): boolean =>
      mark !== '' && Object.entries(env).some(([name, value]) => `${name}=${value}`.startsWith(mark))
    return [...this.running.values()].filter((each) => each.group === group
      || (user !== undefined && each.spawned.user?.uid === user) || isMarked(each.spawned))
  }

  #pause(caller: SimulatedThread, delayUs: number): Promise<void> {
    return new Promise((resolve) => void this.#shared.schedule.after({
      to: caller, lane: createLane(this.#random), delayUs, kind: 'look', from: this.#system.name, task: resolve,
    }))
  }
}

/** As of the real ones. */
function startFailed(name: string, code = ''): Error {
  const next = 'See that the program can be run on this host, and its interpreter if it is a script'
  return new StartFailed(`The command cannot be run: ${name} (${code})`, { command: name, reason: code, next })
}
