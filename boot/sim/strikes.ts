import { crashPoints, faultPoints, type CrashPoint, type FaultPoint } from '../../runtime/fault-points.ts'
import type { Points } from '../../runtime/sim/points.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { bootSteps, type SimulatedCluster } from './cluster.ts'
import { faultKinds, faultRow, type FaultKind, type PlannedFault } from './faults.ts'
import type { FaultLevel } from './options.ts'

/** How often each kind struck at each step of the boot. */
export type Coverage = Readonly<Record<FaultKind, Record<number, number>>>

export const emptyCoverage = (): Coverage => Object.fromEntries(faultKinds.map((kind) =>
  [kind, Object.fromEntries(bootSteps.map((step) => [step, 0]))])) as Coverage

/** What is before the first step takes a while: somewhere in it. */
const BEFORE_FIRST_MS = 25

/** Lets the planned faults strike, each when it is its time, and makes them good. */
export class Strikes {
  readonly coverage = emptyCoverage()
  /** Those that struck, in order, with the virtual time. */
  readonly struck: { readonly fault: PlannedFault; readonly atMs: number; readonly step: number }[] = []
  readonly #cluster: SimulatedCluster
  readonly #waiting: Set<PlannedFault>
  /** How each fault that lasts is made good. */
  readonly #heals = new Map<PlannedFault, () => void>()
  #over = false

  constructor(cluster: SimulatedCluster, plan: readonly PlannedFault[]) {
    this.#cluster = cluster
    this.#waiting = new Set(plan)
    const { clock } = cluster.world
    const strikeAll = (ready: (fault: PlannedFault) => boolean): void => {
      for (const fault of [...this.#waiting]) if (ready(fault)) this.#strike(fault)
    }
    cluster.onStep.push((step) => {
      const ready = (fault: PlannedFault): boolean =>
        !this.#over && cluster.step === step && 'step' in fault.when && fault.when.step === step
      // When what is being done now has been done
      if (step > 0) return clock.soon(() => strikeAll(ready))
      for (const fault of this.#waiting) {
        if ('step' in fault.when && fault.when.step === 0) {
          clock.after(1 + fault.amount * BEFORE_FIRST_MS, () => strikeAll((one) => one === fault && ready(one)))
        }
      }
    })
    for (const fault of plan) {
      if ('ms' in fault.when) clock.after(fault.when.ms, () => strikeAll((one) => one === fault && !this.#over))
    }
  }

  /** Nothing strikes any more, and everything is well. */
  end(): void {
    this.#over = true
    for (const heal of [...this.#heals.values()]) heal()
    const { world, hostNames } = this.#cluster
    world.healWires()
    for (const host of hostNames) world.stepClock(host, -world.aheadMs(host))
  }

  #strike(fault: PlannedFault): void {
    const { world, step } = this.#cluster
    world.note(`fault ${fault.index} ${fault.kind} ${fault.host}`)
    const heal = faultRow(fault.kind).strike(this.#cluster, fault)
    if (heal === false) return
    this.#waiting.delete(fault)
    this.coverage[fault.kind][step]!++
    this.struck.push({ fault, atMs: world.nowUs / 1_000, step })
    if (typeof heal !== 'function') return
    const once = (): void => {
      if (!this.#heals.delete(fault)) return
      world.note(`healed ${fault.index} ${fault.kind} ${fault.host}`)
      heal()
      if (!this.#over) this.#keep()
    }
    this.#heals.set(fault, once)
    world.clock.after(fault.lengthMs, once)
  }

  /** What made one good may have made others good, whose time is not over: a disk, a wire or a host has one state. */
  #keep(): void {
    for (const fault of this.#heals.keys()) {
      const { lasting, strike } = faultRow(fault.kind)
      if (lasting) strike(this.#cluster, fault)
    }
  }
}

const MILLION = 1_000_000
/** In a run each point is in play or not; where it is, it strikes so often of a million times that it is passed. */
const pointPpm: Readonly<Record<FaultPoint, number>> = {
  'link/frame-alone': 300_000, 'link/closes': 2_000, 'store/compacted': 200_000, 'store/overrun': 20_000,
  'session/refresh-now': 200_000, 'session/refresh-lost': 300_000, 'session/login-lost': 300_000,
  'supervisor/beat-lost': 300_000,
}
const CRASH_PPM = 200_000
const IN_PLAY_OF_FOUR: Readonly<Record<FaultLevel, number>> = { none: 0, some: 1, storm: 2 }

export type PointHits = Record<Point, number>

type Point = FaultPoint | CrashPoint
export const pointNames = [...Object.keys(faultPoints), ...Object.keys(crashPoints)] as readonly Point[]

/**
 * Those that a zone passes which boots and is used. Terms and root keys of a vault change when an operator says so, and
 * files for etcd are written where its config names one: these have tests of their own, `years` for the barrier.
 */
export const pointsOfZone: readonly Point[] = pointNames.filter((name) =>
  !name.startsWith('pems/') && !['vault/rotated', 'vault/rekeyed', 'vault/re-encrypted'].includes(name))

/** The fault points of production code, as one run plays them. */
export class PlayedPoints implements Pick<Points, 'strikes' | 'crashes'> {
  readonly hits = Object.fromEntries(pointNames.map((name) => [name, 0])) as PointHits
  readonly #draws = new Map<string, SeededRandom>()
  #over = false

  constructor(seed: number, level: FaultLevel) {
    const random = new SeededRandom(`zonewright points ${seed}`)
    for (const name of pointNames) {
      const draws = random.fork(name)
      if (draws.within([1, 4]) <= IN_PLAY_OF_FOUR[level]) this.#draws.set(name, draws)
    }
  }

  strikes(point: FaultPoint): boolean {
    return this.#strike(point, pointPpm[point])
  }

  /** Where the code of one thread was called from another, nobody ends: it would be the wrong one. */
  crashes(point: CrashPoint, at: string): boolean {
    const [actor = ''] = point.split('/')
    const own = actor === 'boot' ? /^ood1\/\d+$/.test(at) : at.endsWith(`/${actor}`)
    return own && this.#strike(point, CRASH_PPM)
  }

  end(): void {
    this.#over = true
  }

  #strike(point: Point, ppm: number): boolean {
    const draws = this.#over ? undefined : this.#draws.get(point)
    if (!draws || draws.word() % MILLION >= ppm) return false
    this.hits[point]++
    return true
  }
}
