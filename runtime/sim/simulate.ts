import process from 'node:process'
import type { ActorDefinition } from '../actor.ts'
import { StartFailed } from '../errors.ts'
import type { Clock, Files, HttpRequest, HttpResponse, Random } from '../platform/ports.ts'
import { SimulatedHost, type Shared, type SimulatedProcess } from './host.ts'
import { createKeys, type KeyKind } from './keys.ts'
import type { Programs } from './programs.ts'
import { SeededRandom } from './random.ts'
import { Schedule } from './schedule.ts'
import type { DiskState } from './stores.ts'
import { clockOf, SimulatedThread } from './thread.ts'
import { installTraps } from './traps.ts'
import { createWebCrypto } from './webcrypto.ts'

export { SimulationLimit, SimulationStalled } from './schedule.ts'
export { Nondeterminism } from './nondeterminism.ts'
export type { SimulatedProcess } from './host.ts'

export interface SimulateOptions {
  readonly seed: number
  readonly keys: KeyKind
  /** Default exports of the actors' modules by URL: to import one during the run would take a thread pool. */
  readonly modules: ReadonlyMap<string, ActorDefinition>
  /** What hosts can run beside them. Default: nothing. */
  readonly programs?: Programs
  readonly maxEvents: number
  readonly maxVirtualMs: number
  /** Each line of the trace, as it is hashed. */
  readonly onLine?: (line: string) => void
}

export interface SimulationResult {
  readonly seed: number
  /** SHA-256 of the trace: the same for the same seed and program, on every runtime. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
}

/** What a program may do to the simulated world from outside. */
export interface World {
  readonly clock: Clock
  readonly random: Random
  /** Starts a process on a host; the first one makes the host. Its files outlive it. */
  startProcess(host: string, env?: Readonly<Record<string, string>>): SimulatedProcess
  /** As an operator would: @throws NotWritable */
  openFolder(host: string, path: string): Promise<Files>
  /** @throws Unavailable when nothing listens or the connection is cut */
  http(host: string, port: number, request: HttpRequest): Promise<HttpResponse>
  /** Sets the wall clock of a host forward or, below zero, back. Its monotonic clock and its timers go on. */
  stepClock(host: string, ms: number): void
  /** From now on the host's disk takes no write: it is full, or it fails with EIO. `well` again, it takes them. */
  setDisk(host: string, state: DiskState): void
  /** A line of the trace, and so of the hash. */
  note(text: string): void
}

/** Ends when what it promises has settled; what is left of the world then does not happen. */
export type Program = (world: World) => Promise<void>

const LINES_IN_FAILURE = 20

/** How every run that fails ends; `cause` is what went wrong. */
export class SimulationFailed extends Error {
  readonly seed: number
  readonly virtualMs: number
  readonly events: number
  /** The last lines of the trace. */
  readonly lastLines: readonly string[]

  constructor(seed: number, schedule: Schedule, cause: unknown) {
    const virtualMs = schedule.nowUs / 1_000
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`Seed ${seed} failed at ${virtualMs} ms, after ${schedule.delivered} events: ${reason}`, { cause })
    this.name = 'SimulationFailed'
    // Where it went wrong; where the run was awaited tells nothing
    const frames = cause instanceof Error ? /(\n\s+at .+)+/.exec(cause.stack ?? '')?.[0] : undefined
    if (frames !== undefined) this.stack = `${this.name}: ${this.message}${frames}`
    this.seed = seed
    this.virtualMs = virtualMs
    this.events = schedule.delivered
    this.lastLines = schedule.lastLines(LINES_IN_FAILURE)
  }
}

let running = false

/**
 * Runs the program in one thread on a virtual clock. While it runs, globals that no seed controls are traps.
 * @throws SimulationFailed whatever goes wrong; its cause is what did
 */
export async function simulate(options: SimulateOptions, program: Program): Promise<SimulationResult> {
  // The traps are global, so a second run would spring the first one's
  if (running) throw new StartFailed('A simulation is running in this process already')
  running = true
  try {
    return await simulateAlone(options, program)
  } finally {
    running = false
  }
}

async function simulateAlone(options: SimulateOptions, program: Program): Promise<SimulationResult> {
  const keys = await createKeys(options.keys)
  const schedule = new Schedule({
    eventsMax: options.maxEvents, virtualMsMax: options.maxVirtualMs,
    ...(options.onLine ? { onLine: options.onLine } : {}),
  })
  const random = new SeededRandom(`zonewright simulation ${options.seed}`)
  let numbers = 0
  const shared: Shared = {
    schedule, random, keys, next: () => ++numbers, modules: options.modules, programs: options.programs,
  }
  const observer = new SimulatedThread('observer', random.fork('observer'), (error) => schedule.fail(error))
  const onRejection = (error: unknown): void => schedule.fail(error)
  process.on('unhandledRejection', onRejection)
  const removeTraps = installTraps(createWebCrypto(random.fork('webcrypto')), (error) => schedule.fail(error))
  let ended = false
  try {
    schedule.soon(observer, () => {
      program(createWorld(observer, shared)).then(() => (ended = true), (error: unknown) => schedule.fail(error))
    })
    await schedule.run(() => ended)
    const { delivered, nowUs } = schedule
    return { seed: options.seed, hash: schedule.digest(), events: delivered, virtualMs: nowUs / 1_000 }
  } catch (error) {
    throw new SimulationFailed(options.seed, schedule, error)
  } finally {
    removeTraps()
    process.off('unhandledRejection', onRejection)
    observer.end()
  }
}

function createWorld(observer: SimulatedThread, shared: Shared): World {
  const { schedule, random } = shared
  const hosts = new Map<string, SimulatedHost>()
  const host = (name: string): SimulatedHost => {
    const found = hosts.get(name) ?? new SimulatedHost(name, shared)
    hosts.set(name, found)
    return found
  }
  return {
    clock: clockOf(schedule, observer),
    random: random.fork('program'),
    startProcess: (name, env = {}) => host(name).start(env, observer),
    openFolder: (name, path) => host(name).openFolder(path, observer, 0),
    http: (name, port, request) => host(name).request(observer, port, request),
    stepClock(name, ms) {
      schedule.note(`${schedule.nowUs} clock ${name} ${ms}`)
      host(name).faults.wall.stepMs += ms
    },
    setDisk(name, state) {
      schedule.note(`${schedule.nowUs} disk ${name} ${state}`)
      host(name).faults.disk = state
    },
    note: (text) => schedule.note(`${schedule.nowUs} note ${text}`),
  }
}
