import process from 'node:process'
import type { ActorDefinition } from '../actor.ts'
import { StartFailed } from '../errors.ts'
import { install } from '../fault-points.ts'
import type { Frame } from '../platform/ports.ts'
import type { OnFile } from './disk.ts'
import { SimulatedEtcd } from './etcd.ts'
import type { ControlDelay, Shared } from './host.ts'
import { createKeys, type KeyKind } from './keys.ts'
import type { Programs } from './programs.ts'
import { SeededRandom } from './random.ts'
import { Schedule } from './schedule.ts'
import { pointsOf, type Points } from './points.ts'
import type { OnCommit } from './stores.ts'
import { SimulatedThread } from './thread.ts'
import { installTraps } from './traps.ts'
import { createWebCrypto } from './webcrypto.ts'
import { Wires } from './wires.ts'
import { createWorld, type World } from './world.ts'

export { SimulationLimit, SimulationStalled } from './schedule.ts'
export { Nondeterminism } from './nondeterminism.ts'
export type { ControlDelay, ControlMessage, SimulatedProcess } from './host.ts'
export type { World } from './world.ts'

export interface SimulateOptions {
  readonly seed: number
  readonly keys: KeyKind
  /** Default exports of the actors' modules by URL: to import one during the run would take a thread pool. */
  readonly modules: ReadonlyMap<string, ActorDefinition>
  /** What hosts can run beside them. Default: nothing. */
  readonly programs?: Programs
  /** There is one, and the stores of all hosts lie in it; `beside`: each on its host's disk, as without one. */
  readonly etcd?: boolean | 'beside'
  /** Frames of the stack that an error keeps, where a run must be quick; a failure can be run again with more. */
  readonly stackFrames?: number
  readonly maxEvents: number
  readonly maxVirtualMs: number
  /** Each line of the trace, as it is hashed. */
  readonly onLine?: (line: string) => void
  /** Told of what nobody inside may keep from being seen: what becomes durable, and what leaves a host. */
  readonly watch?: {
    /** Paths begin with the host's name and a colon. */
    readonly commit?: OnCommit
    readonly file?: OnFile
    readonly frame?: (from: string, to: string, frame: Frame) => void
    /** A private key was exported, as PEM. */
    readonly pem?: (pem: string) => void
  }
  /** Decides at the fault points of production code. Without it none of them does anything. */
  readonly points?: Points
  /** Sets how long messages between supervisors and workers take: to force an order, or a moment. */
  readonly controlDelayUs?: ControlDelay
}

export interface SimulationResult {
  readonly seed: number
  /** SHA-256 of the trace: the same for the same seed and program, on every runtime. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
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
  const { commit = () => {}, file = () => {}, frame, pem } = options.watch ?? {}
  const keys = await createKeys(options.keys, pem)
  const schedule = new Schedule({
    eventsMax: options.maxEvents, virtualMsMax: options.maxVirtualMs,
    ...(options.onLine ? { onLine: options.onLine } : {}),
  })
  const random = new SeededRandom(`zonewright simulation ${options.seed}`)
  let numbers = 0
  const etcd = options.etcd ? new SimulatedEtcd(schedule, random.fork('etcd')) : undefined
  if (etcd) etcd.onCommit = (prefix, changes) => commit(`etcd${prefix.replace(/^(\/[^/]+)/, '$1:')}`, changes)
  const shared: Shared = {
    schedule, random, keys, next: () => ++numbers, modules: options.modules, programs: options.programs, etcd,
    foldersInEtcd: options.etcd === true,
    onCommit: commit, onFile: file,
    controlDelayUs: options.controlDelayUs ?? (() => undefined),
    medium: {
      schedule, wires: new Wires(random.fork('wires')),
      onFrame: (from, to, what) => frame?.(from.name, to.name, what),
    },
  }
  const observer = new SimulatedThread('observer', random.fork('observer'), (error) => schedule.fail(error))
  const onRejection = (error: unknown): void => schedule.fail(error)
  process.on('unhandledRejection', onRejection)
  const removeTraps = installTraps(createWebCrypto(random.fork('webcrypto')), (error) => schedule.fail(error))
  const removePoints = options.points ? install(pointsOf(schedule, options.points)) : () => {}
  const { stackTraceLimit } = Error
  if (options.stackFrames !== undefined) Error.stackTraceLimit = options.stackFrames
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
    Error.stackTraceLimit = stackTraceLimit
    removePoints()
    removeTraps()
    process.off('unhandledRejection', onRejection)
    observer.end()
  }
}
