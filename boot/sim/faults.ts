import { EPOCH_MS } from '../../runtime/sim/host-clock.ts'
import type { Wire } from '../../runtime/sim/wires.ts'
import { DESK, OOD, type SimulatedCluster } from './cluster.ts'

/** One thing that goes wrong, drawn from the seed before the run. */
export interface PlannedFault {
  /** Its place in the plan: what `--only` names. */
  readonly index: number
  readonly kind: FaultKind
  /** Strikes when a boot stands at this documented step (0: before the first), or at a time. */
  readonly when: { readonly step: number } | { readonly ms: number }
  readonly host: string
  /** Another one, where it is about two. */
  readonly other: string
  /** From 0 to 1: how much, by what the kind makes of it. */
  readonly amount: number
  /** How long it lasts, where it has a length. */
  readonly lengthMs: number
}

export interface FaultRow {
  readonly what: string
  /** Strikes what only a node that runs has: during a boot, only once the control plane has died alone. */
  readonly nodes?: true
  /** Needs stores in etcd. */
  readonly etcd?: true
  /** Striking twice is striking once: where another one of its host is made good, it strikes again. */
  readonly lasting?: true
  /** @returns how it is made good; nothing, where it is over at once; false, where there was nothing to strike */
  readonly strike: (cluster: SimulatedCluster, fault: PlannedFault) => (() => void) | false | void
}

const HOUR = 3_600_000
const PPM_MAX = 20_000
/** Of a million frames, at most. */
const FRAMES_PPM_MAX = 200_000

const wallBack = (cluster: SimulatedCluster, host: string) => (): void =>
  cluster.world.stepClock(host, -cluster.world.aheadMs(host))

function step(cluster: SimulatedCluster, { host, amount }: PlannedFault, direction: 1 | -1): () => void {
  cluster.world.stepClock(host, direction * Math.ceil(amount * amount * HOUR))
  return wallBack(cluster, host)
}

/** Between one host and all others, the desk included, in one or in both directions. */
export function wires(
  { world, hostNames }: SimulatedCluster, host: string, conditions: Partial<Wire>, direction: 'out' | 'both' = 'both',
): () => void {
  const others = [...hostNames, DESK].filter((name) => name !== host)
  const set = (given: Partial<Wire>): void => {
    for (const other of others) {
      world.setWire(host, other, given)
      if (direction === 'both') world.setWire(other, host, given)
    }
  }
  set(conditions)
  const well: Partial<Wire> = { cut: 'open', lostPpm: 0, twicePpm: 0, latePpm: 0, changedPpm: 0, delay: [100, 800] }
  return () => set(Object.fromEntries(Object.keys(conditions).map((key) => [key, well[key as keyof Wire]])))
}

const share = ({ amount }: PlannedFault): number => Math.ceil(amount * FRAMES_PPM_MAX)

/** Every kind. Coverage counts each of them at each step of the boot. */
export const faultRows = {
  'clock-forward': { what: 'the wall clock of a host jumps forward by up to an hour', strike: (c, f) => step(c, f, 1) },
  'clock-back': { what: 'the wall clock of a host jumps back by up to an hour', strike: (c, f) => step(c, f, -1) },
  'clock-drift': {
    what: 'the clocks of a host run up to 2 % too fast or too slow',
    strike({ world }, { host, amount }) {
      world.driftClock(host, Math.round((amount - 0.5) * 2 * PPM_MAX))
      return () => {
        world.driftClock(host, 0)
        world.stepClock(host, -world.aheadMs(host))
      }
    },
  },
  'net-slow': {
    what: 'what a host sends or gets takes up to a second longer', lasting: true,
    strike: (c, f) => wires(c, f.host, { delay: [1_000, 1_000 + Math.ceil(f.amount * 1_000_000)] }),
  },
  'net-loss': {
    what: 'frames of a host are lost', lasting: true, strike: (c, f) => wires(c, f.host, { lostPpm: share(f) }),
  },
  'net-twice': {
    what: 'frames of a host arrive twice', lasting: true, strike: (c, f) => wires(c, f.host, { twicePpm: share(f) }),
  },
  'net-late': {
    what: 'frames of a host arrive out of order', lasting: true,
    strike: (c, f) => wires(c, f.host, { latePpm: share(f) }),
  },
  'net-corrupt': {
    what: 'frames of a host arrive with a byte changed', lasting: true,
    strike: (c, f) => wires(c, f.host, { changedPpm: share(f) }),
  },
  'net-partition': {
    what: 'a host is cut off; what was sent arrives later', lasting: true,
    strike: (c, f) => wires(c, f.host, { cut: 'hold' }),
  },
  'net-drop': {
    what: 'a host is cut off; what was sent is lost', lasting: true,
    strike: (c, f) => wires(c, f.host, { cut: 'drop' }),
  },
  'net-one-way': {
    what: 'a host hears the others, and they do not hear it', lasting: true,
    strike: (c, f) => wires(c, f.host, { cut: 'drop' }, 'out'),
  },
  'disk-full': {
    what: 'the disk of a host takes no more', lasting: true,
    strike({ world }, { host }) {
      world.setDisk(host, 'full')
      return () => world.setDisk(host, 'well')
    },
  },
  'disk-broken': {
    what: 'the disk of a host fails with EIO', lasting: true,
    strike({ world }, { host }) {
      world.setDisk(host, 'broken')
      return () => world.setDisk(host, 'well')
    },
  },
  'disk-slow': {
    what: 'writes of a host take up to 2,000 times as long', lasting: true,
    strike({ world }, { host, amount }) {
      world.slowDisk(host, 1 + Math.ceil(amount * 2_000))
      return () => world.slowDisk(host, 1)
    },
  },
  'torn-write': {
    what: 'a host loses its power, and of what is being written a part is on the disk',
    strike(cluster, { host }) {
      const { world } = cluster
      world.tearWrites(host, true)
      const struck = host === OOD ? cluster.powerOff() : cluster.crash(host)
      world.tearWrites(host, false)
      return struck ? undefined : false
    },
  },
  'kill-actor': {
    what: 'a worker thread ends',
    strike({ world }, { host, amount }) {
      const names = world.workers(host)
      const name = names[Math.floor(amount * names.length)]
      return name !== undefined && world.killWorker(host, name) ? undefined : false
    },
  },
  'crash-node': {
    what: 'a node loses its power', nodes: true,
    strike: (cluster, { other }) => (cluster.crash(other) ? undefined : false),
  },
  'crash-ood': {
    what: 'the control plane dies, the nodes go on', strike: (c) => (c.crash(OOD) ? undefined : false),
  },
  'power-off': { what: 'the power goes everywhere', strike: (cluster) => (cluster.powerOff() ? undefined : false) },
  pause: {
    what: 'a host stands still, as a suspended machine', lasting: true,
    strike({ world }, { host }) {
      world.pause(host)
      return () => world.resume(host)
    },
  },
  'kill-program': {
    what: 'a service that is a program is killed', nodes: true,
    strike({ programs }, { amount }) {
      const running = programs.running()
      const one = running[Math.floor(amount * running.length)]
      if (!one) return false
      programs.kill(one.processId)
      return undefined
    },
  },
  'freeze-program': {
    what: 'a service that is a program answers no more', nodes: true,
    strike({ programs }, { amount }) {
      const running = programs.running()
      const id = running[Math.floor(amount * running.length)]?.processId
      if (id === undefined) return false
      programs.freeze(id)
      // Its host may have ended it meanwhile
      return () => { if (programs.running().some(({ processId }) => processId === id)) programs.thaw(id) }
    },
  },
  'etcd-outage': {
    what: 'etcd is away for up to ten seconds', etcd: true,
    strike: ({ world }, { amount }) => world.etcd?.outage(Math.ceil(amount * 10_000)),
  },
  'etcd-leader': { what: 'etcd gets another leader', etcd: true, strike: ({ world }) => world.etcd?.changeLeader() },
  'etcd-compaction': { what: 'etcd forgets its history', etcd: true, strike: ({ world }) => world.etcd?.compact() },
  'etcd-slow': {
    what: 'etcd takes up to 100 times as long', etcd: true, lasting: true,
    strike({ world }, { amount }) {
      world.etcd?.setDelayFactor(1 + Math.ceil(amount * 100))
      return () => world.etcd?.setDelayFactor(1)
    },
  },
  restart: {
    what: 'an operator stops the zone, in order or as it boots, and it is started again',
    strike(cluster) {
      const restarted = cluster.restart()
      restarted?.catch((error: Error) => cluster.world.fail(error))
      return restarted ? undefined : false
    },
  },
} as const satisfies Readonly<Record<string, FaultRow>>

export type FaultKind = keyof typeof faultRows
export const faultKinds = Object.keys(faultRows) as readonly FaultKind[]
export const faultRow = (kind: FaultKind): FaultRow => faultRows[kind]

/** As a person reads a virtual time. */
export const timeOf = (ms: number): string => `${((ms >= EPOCH_MS ? ms - EPOCH_MS : ms) / 1_000).toFixed(3)} s`
