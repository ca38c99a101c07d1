import type { Wire } from '../../../runtime/sim/wires.ts'
import type { SeededRandom } from '../../../runtime/sim/random.ts'
import { OOD, type SimulatedCluster } from '../cluster.ts'
import type { Machine } from './machine.ts'

export const hostStrikes = [
  'cut', 'hold', 'cut-out', 'cut-in', 'slow', 'loss', 'uplink', 'enrolment', 'kill', 'crash-ood', 'power-off', 'clock',
  'pause', 'revoke',
] as const

/** One thing that goes wrong with a host, or with the way between it and the zone. */
export interface HostStrike {
  readonly kind: (typeof hostStrikes)[number]
  /** Its place among those that joined. */
  readonly host: number
  /** From 0 to 1. */
  readonly amount: number
  readonly lengthMs: number
}

/** What happens as a host joins: its answer is lost, it dies, the zone dies, others have its token as well. */
export const joinStrikes = ['none', 'lost-answer', 'kill', 'power-off', 'enrolment', 'theft'] as const
export type JoinStrike = (typeof joinStrikes)[number]
/** Milliseconds after its request left. */
export const JOIN_STRIKE_MS = [0, 40] as const
const LOST_MS = 20_000

export function strikeJoin(cluster: SimulatedCluster, machine: Machine, kind: JoinStrike): void {
  const { world } = cluster
  const { name } = machine
  if (kind === 'none' || kind === 'theft') return
  world.note(`as ${name} joins: ${kind}`)
  if (kind === 'kill') machine.kill()
  if (kind === 'power-off') cluster.powerOff()
  if (kind === 'enrolment') world.killWorker(OOD, 'enrolment')
  if (kind !== 'lost-answer') return
  world.setWire(OOD, name, { cut: 'drop' })
  world.clock.after(LOST_MS, () => world.setWire(OOD, name, { cut: 'open' }))
}

const LENGTH_MS = [1_000, 40_000] as const
const CLOCK_MS = 15 * 60_000
const MILLION = 1_000_000

/** The one of every two runs revokes one host, and never all. */
export function draws(random: SeededRandom, count: number, hosts: number): readonly HostStrike[] {
  let revokes = random.within([0, 1])
  return Array.from({ length: count }, () => {
    const drawn = hostStrikes[random.within([0, hostStrikes.length - 1])]!
    const kind = drawn === 'revoke' && revokes-- <= 0 ? 'cut' : drawn
    return {
      kind, host: random.within([0, hosts - 1]), amount: random.within([0, MILLION]) / MILLION,
      lengthMs: random.within(LENGTH_MS),
    }
  })
}

/** @returns how it is made good; it makes itself good when its time is over */
export function strike(cluster: SimulatedCluster, machine: Machine, given: HostStrike): () => void {
  const { world } = cluster
  const { name } = machine
  const { kind, amount, lengthMs } = given
  world.note(`strike ${kind} ${name}`)
  const lasting = (heal: () => void): (() => void) => {
    let over = false
    const once = (): void => {
      if (over) return
      over = true
      world.note(`healed ${kind} ${name}`)
      heal()
    }
    world.clock.after(lengthMs, once)
    return once
  }
  const wire = (bad: Partial<Wire>, well: Partial<Wire>, direction: 'out' | 'in' | 'both' = 'both'): (() => void) => {
    const set = (conditions: Partial<Wire>): void => {
      if (direction !== 'in') world.setWire(name, OOD, conditions)
      if (direction !== 'out') world.setWire(OOD, name, conditions)
    }
    set(bad)
    return lasting(() => set(well))
  }
  const open = { cut: 'open' } as const
  switch (kind) {
    case 'cut': return wire({ cut: 'drop' }, open)
    case 'hold': return wire({ cut: 'hold' }, open)
    case 'cut-out': return wire({ cut: 'drop' }, open, 'out')
    case 'cut-in': return wire({ cut: 'drop' }, open, 'in')
    case 'slow': return wire({ delay: [1_000, 1_000 + Math.ceil(amount * MILLION)] }, { delay: [100, 800] })
    case 'loss': return wire({ lostPpm: Math.ceil(amount * MILLION / 4) }, { lostPpm: 0 })
    case 'uplink': return at(() => void world.killWorker(name, 'uplink'))
    case 'enrolment': return at(() => void world.killWorker(OOD, 'enrolment'))
    case 'kill': return at(() => machine.kill())
    case 'crash-ood': return at(() => void cluster.crash(OOD))
    case 'power-off': return at(() => void cluster.powerOff())
    case 'clock': {
      world.stepClock(name, Math.round((amount - 0.5) * 2 * CLOCK_MS))
      return lasting(() => world.stepClock(name, -world.aheadMs(name)))
    }
    case 'pause': {
      world.pause(name)
      return lasting(() => world.resume(name))
    }
    case 'revoke': throw new RangeError('An operator does that')
  }
}

function at(act: () => void): () => void {
  act()
  return () => {}
}
