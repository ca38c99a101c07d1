import type { Labels, Resources, ServiceSpec } from '../records.ts'
import { whyNowhere } from './reasons.ts'

/** A host as placement sees it. */
export interface PlaceHost {
  readonly name: string
  readonly ood: boolean
  /** As an operator wants it. */
  readonly state: 'running' | 'draining' | 'stopped'
  /** `lost`: it gets nothing new. `gone`: lost for so long that what may move leaves it. */
  readonly life: 'alive' | 'lost' | 'gone'
  /** What it is to run by its config now. */
  readonly holds: ReadonlySet<string>
  /** Undefined where it has told nothing of itself yet: what is there stays, and nothing that asks for them comes. */
  readonly labels: Labels | undefined
  readonly capacity: Resources | undefined
}

export interface Placed {
  /** In order of name. */
  readonly hosts: readonly string[]
  readonly missing: number
  /** Why replicas are missing, or why it stays where it should not; empty where all is well. */
  readonly reason: string
}

type Spec = Pick<ServiceSpec, 'name' | 'kernel' | 'replicas' | 'resources' | 'labels' | 'spread' | 'stateful'>

/** What a service weighs at least when hosts are compared, and a host that has told nothing is taken to have. */
const LIGHT = { memoryBytes: 64 * 1024 * 1024, processors: 10 }
const PLAIN = { memoryBytes: 8 * 1024 * 1024 * 1024, processors: 400 }

/** A host with what is placed there so far. */
export class Seat {
  readonly host: PlaceHost
  memoryBytes = 0
  processors = 0
  #weighs = { memoryBytes: 0, processors: 0 }

  constructor(host: PlaceHost) {
    this.host = host
  }

  /** What is left, where it is known. */
  get free(): { readonly memoryBytes: number; readonly processors: number } | undefined {
    const { capacity } = this.host
    return capacity && {
      memoryBytes: (capacity.memoryBytes ?? Infinity) - this.memoryBytes,
      processors: (capacity.processors ?? Infinity) - this.processors,
    }
  }

  take({ resources = {} }: Spec): void {
    const { memoryBytes = 0, processors = 0 } = resources
    this.memoryBytes += memoryBytes
    this.processors += processors
    this.#weighs.memoryBytes += Math.max(memoryBytes, LIGHT.memoryBytes)
    this.#weighs.processors += Math.max(processors, LIGHT.processors)
  }

  hasRoom({ resources = {} }: Spec): boolean {
    const { memoryBytes = 0, processors = 0 } = resources
    if (memoryBytes === 0 && processors === 0) return true
    const { free } = this
    return free !== undefined && memoryBytes <= free.memoryBytes && processors <= free.processors
  }

  /** In proportion to what it has, by what there is least of. */
  get load(): number {
    const { memoryBytes = PLAIN.memoryBytes, processors = PLAIN.processors } = this.host.capacity ?? PLAIN
    return Math.max(
      this.#weighs.memoryBytes / Math.max(1, memoryBytes), this.#weighs.processors / Math.max(1, processors))
  }
}

export const hasLabels = ({ labels }: Pick<PlaceHost, 'labels'>, wanted: Labels = {}): boolean =>
  Object.entries(wanted).every(([name, value]) => labels !== undefined && Object.hasOwn(labels, name)
    && labels[name] === value)

/**
 * Whether it leaves this host if there is another one. A host that is silent does not hear that it should stop
 * anything: until it is taken to have stopped all by itself, nothing leaves it. Kernel services do not stop so.
 */
const leaves = ({ kernel }: Spec, { state, life }: PlaceHost): boolean =>
  (life === 'gone' ? !kernel : state === 'draining' && life === 'alive')

/**
 * Which hosts each service is placed on. First stays what is placed, wherever it may stay; then what is missing goes,
 * the largest first, to the host that has its labels and room and is least loaded in proportion; what should leave a
 * host and has nowhere to go stays. Pure: ties are broken by name, and nothing is ever crowded in.
 */
export function place(specs: readonly Spec[], hosts: readonly PlaceHost[]): ReadonlyMap<string, Placed> {
  const byName = <T extends { readonly name: string }>(a: T, b: T): number => (a.name < b.name ? -1 : 1)
  const seats = [...hosts].sort(byName).map((host) => new Seat(host))
  const holders = new Map<string, Seat[]>()
  for (const seat of seats) {
    for (const name of seat.host.holds) holders.set(name, [...(holders.get(name) ?? []), seat])
  }
  const inOrder = [...specs].sort(byName)
  const chosen = new Map(inOrder.map(({ name }) => [name, new Set<Seat>()]))
  const put = (spec: Spec, seat: Seat): void => {
    chosen.get(spec.name)!.add(seat)
    seat.take(spec)
  }
  // Each OOD has the whole control plane: any of them may be the last
  const ofEach = seats.filter(({ host }) => host.ood && host.state === 'running')
  const wanted = (spec: Spec): number =>
    spec.replicas ?? (spec.kernel ? Math.max(1, ofEach.filter(({ host }) => hasLabels(host, spec.labels)).length) : 1)
  const missing = (spec: Spec): number => wanted(spec) - chosen.get(spec.name)!.size
  const stay = (spec: Spec, may: (seat: Seat) => boolean): void => {
    for (const seat of holders.get(spec.name) ?? []) {
      if (missing(spec) <= 0) return
      if (!chosen.get(spec.name)!.has(seat) && may(seat)) put(spec, seat)
    }
  }
  // Its state is nowhere else: it has its place before whoever could have another
  for (const spec of inOrder) if (spec.stateful) stay(spec, ({ host }) => host.ood || !spec.kernel)
  const mayHold = (spec: Spec, seat: Seat): boolean => {
    const { host } = seat
    if (spec.kernel && !host.ood) return false
    if (!hasLabels(host, host.labels === undefined ? {} : spec.labels)) return false
    return host.capacity === undefined || seat.hasRoom(spec)
  }
  for (const alive of [true, false]) {
    for (const spec of inOrder) {
      stay(spec, (seat) => (seat.host.life === 'alive') === alive && !(alive && seat.host.state === 'stopped')
        && !leaves(spec, seat.host) && mayHold(spec, seat))
    }
  }
  for (const spec of inOrder.filter((each) => missing(each) > 0).sort(largestFirst)) {
    const own = chosen.get(spec.name)!
    const may = seats.filter((seat) => mayRun(spec, seat.host))
    while (missing(spec) > 0) {
      const best = bestOf(spec, may.filter((seat) => !own.has(seat) && seat.hasRoom(spec)), own)
      if (!best) break
      put(spec, best)
    }
  }
  for (const spec of inOrder) {
    stay(spec, (seat) => seat.host.state !== 'stopped' && leaves(spec, seat.host) && mayHold(spec, seat))
  }
  return new Map(inOrder.map((spec) => {
    const own = [...chosen.get(spec.name)!]
    const left = Math.max(0, missing(spec))
    const reason = whyNowhere(spec, left, own, seats, { mayRun, leaves })
    return [spec.name, { hosts: own.map(({ host }) => host.name).sort(), missing: left, reason }]
  }))
}

/** Whether something new may come to it, as far as that does not depend on what is there. */
const mayRun = (spec: Spec, host: PlaceHost): boolean => (host.ood || !spec.kernel) && host.state === 'running'
  && host.life === 'alive' && hasLabels(host, spec.labels)

function largestFirst(a: Spec, b: Spec): number {
  const [left, right] = [a.resources ?? {}, b.resources ?? {}]
  return (right.memoryBytes ?? 0) - (left.memoryBytes ?? 0) || (right.processors ?? 0) - (left.processors ?? 0)
    || (a.name < b.name ? -1 : 1)
}

function bestOf({ spread }: Spec, seats: readonly Seat[], own: ReadonlySet<Seat>): Seat | undefined {
  const valueOf = ({ host }: Seat): string | undefined =>
    (spread !== undefined && host.labels && Object.hasOwn(host.labels, spread) ? host.labels[spread] : undefined)
  const alike = new Map<string | undefined, number>()
  if (spread !== undefined) for (const seat of own) alike.set(valueOf(seat), (alike.get(valueOf(seat)) ?? 0) + 1)
  let best: Seat | undefined
  for (const seat of seats) {
    if (!best) best = seat
    else {
      const crowd = (alike.get(valueOf(seat)) ?? 0) - (alike.get(valueOf(best)) ?? 0)
      if (crowd < 0 || (crowd === 0 && seat.load < best.load)) best = seat
    }
  }
  return best
}
