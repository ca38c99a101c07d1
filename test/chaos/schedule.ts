/** What strikes whom, when, and for how long: drawn from a seed before anything runs. */
import { numbersOf } from '../soak/kills.ts'

export type Way = 'both' | 'in' | 'out'

export interface Strike {
  readonly atMs: number
  /** Until it is started again, or healed. */
  readonly forMs: number
  readonly target: string
  readonly what:
    | { readonly kind: 'kill' }
    | { readonly kind: 'cut'; readonly way: Way }
    | { readonly kind: 'loss'; readonly share: number }
}

export interface ScheduleOptions {
  readonly seed: number
  readonly lastsMs: number
  readonly oods: readonly string[]
  readonly nodes: readonly string[]
  readonly members: readonly string[]
}

/** Between the ends of one strike at a host and the next at it. */
const CALM_MS = 8_000
const AT_ONCE = 3
/** At least so long before the end: what comes back has to do so while it runs. */
const LAST_MS = 5_000
/** A host that is away for longer has its movable services started elsewhere: 45 s of silence and 120 s. */
const LONG_MS = 190_000

export function scheduleOf({ seed, lastsMs, oods, nodes, members }: ScheduleOptions): readonly Strike[] {
  const random = numbersOf(seed)
  const between = (from: number, to: number): number => Math.round(from + random() * (to - from))
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const strikes: Strike[] = []
  const add = (strike: Strike): void => {
    const ends = strike.atMs + strike.forMs
    const near = (other: Strike): boolean =>
      strike.atMs < other.atMs + other.forMs + CALM_MS && other.atMs < ends + CALM_MS
    const around = strikes.filter((other) => strike.atMs < other.atMs + other.forMs && other.atMs < ends)
    if (ends > lastsMs - LAST_MS || around.length >= AT_ONCE) return
    const rivals = strikes.filter((other) => other.target === strike.target
      // Of three members two have to be there
      || (members.includes(strike.target) && members.includes(other.target)))
    if (!rivals.some(near)) strikes.push(strike)
  }
  if (lastsMs > LONG_MS + 60_000) {
    const what = random() < 0.5 ? { kind: 'kill' } as const : { kind: 'cut', way: 'both' } as const
    add({ atMs: between(5_000, lastsMs - LONG_MS - 40_000), forMs: LONG_MS, target: one(nodes), what })
  }
  for (let atMs = between(1_000, 4_000); atMs < lastsMs; atMs += between(1_500, 7_000)) {
    const sort = random()
    const target = one(sort < 0.35 ? oods : sort < 0.7 || members.length === 0 ? nodes : members)
    const how = random()
    const what: Strike['what'] = how < 0.5 ? { kind: 'kill' }
      : how < 0.8 ? { kind: 'cut', way: one(['both', 'in', 'out']) }
        : { kind: 'loss', share: between(10, 40) / 100 }
    add({ atMs, forMs: what.kind === 'kill' ? between(500, 15_000) : between(3_000, 30_000), target, what })
  }
  return strikes.sort((a, b) => a.atMs - b.atMs)
}

export function strikeLine({ atMs, forMs, target, what }: Strike): string {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  const does = what.kind === 'kill' ? 'is killed' : what.kind === 'loss' ? `loses ${Math.round(what.share * 100)} %`
    : what.way === 'both' ? 'is cut off' : `is cut off one way (${what.way})`
  return `${seconds(atMs).padStart(8)}  ${target} ${does} for ${seconds(forMs)}`
}
