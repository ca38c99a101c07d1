import type { SeededRandom } from '../../../runtime/sim/random.ts'
import type { World } from '../../../runtime/sim/simulate.ts'
import { DESK, type SimulatedCluster } from '../cluster.ts'

/** What happens to an OOD. */
export const oodStrikes = ['cut', 'cut-etcd', 'pause', 'crash', 'kill-leader', 'system-config', 'clock'] as const

export interface OodStrike {
  readonly kind: (typeof oodStrikes)[number]
  /** Whether it strikes who leads; else the host of this place. */
  readonly leader: string | undefined
  readonly host: number
  readonly amount: number
  readonly lengthMs: number
}

/** Longer than it takes until another leads. */
const LENGTH_MS = [12_000, 18_000] as const
const CLOCK_MS = 15 * 60_000
const MILLION = 1_000_000
/** Who leads by lease in a zone of several OODs. */
export const LED = ['scheduler', 'node-monitor', 'cert-manager'] as const

/** The first one goes by the seed through every kind, and strikes who leads the scheduler. */
export function drawOodStrikes(random: SeededRandom, seed: number, count: number, oods: number): readonly OodStrike[] {
  return Array.from({ length: count }, (_, index) => {
    const kind = oodStrikes[random.within([0, oodStrikes.length - 1])]!
    const leader = random.within([0, 2]) > 0 ? LED[random.within([0, LED.length - 1])] : undefined
    return {
      ...index === 0 ? { kind: oodStrikes[seed % oodStrikes.length]!, leader: LED[0] } : { kind, leader },
      host: random.within([0, oods - 1]), amount: random.within([0, MILLION]) / MILLION,
      lengthMs: random.within(LENGTH_MS),
    }
  })
}

/** Whether another host has to lead what this one led. */
export const silences = ({ kind }: OodStrike): boolean => ['cut', 'cut-etcd', 'pause'].includes(kind)

/** @returns how it is made good */
export function strikeOod(cluster: SimulatedCluster, host: string, { kind, amount, leader }: OodStrike): () => void {
  const { world } = cluster
  world.note(`strike ${kind} ${host}`)
  const etcd = world.etcd!
  switch (kind) {
    case 'cut': {
      cutAll(world, cluster, host, 'drop')
      etcd.cutOff(host)
      return () => {
        etcd.reach(host)
        cutAll(world, cluster, host, 'open')
      }
    }
    case 'cut-etcd': {
      etcd.cutOff(host)
      return () => etcd.reach(host)
    }
    case 'pause': {
      world.pause(host)
      return () => world.resume(host)
    }
    case 'crash': {
      cluster.crash(host)
      return () => {}
    }
    case 'kill-leader': {
      world.killWorker(host, leader ?? 'scheduler')
      return () => {}
    }
    case 'system-config': {
      world.killWorker(host, 'system-config')
      return () => {}
    }
    case 'clock': {
      world.stepClock(host, Math.round((amount - 0.5) * 2 * CLOCK_MS))
      return () => world.stepClock(host, -world.aheadMs(host))
    }
  }
}

function cutAll(world: World, { hostNames }: SimulatedCluster, host: string, cut: 'open' | 'drop'): void {
  for (const other of [...hostNames, DESK]) {
    if (other === host) continue
    world.setWire(host, other, { cut })
    world.setWire(other, host, { cut })
  }
}
