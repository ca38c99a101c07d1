import process from 'node:process'
import { SimulatedEtcd } from '../../runtime/sim/etcd.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { Schedule } from '../../runtime/sim/schedule.ts'
import { clockOf, HostClock } from '../../runtime/sim/host-clock.ts'
import { Hold } from '../../runtime/sim/queue.ts'
import { SimulatedThread } from '../../runtime/sim/thread.ts'
import { installTraps } from '../../runtime/sim/traps.ts'
import { createWebCrypto } from '../../runtime/sim/webcrypto.ts'
import type { Store } from '../../runtime/store/store.ts'
import { pause } from './sim-fixture.ts'

export interface EtcdWorld {
  readonly etcd: SimulatedEtcd
  readonly schedule: Schedule
  /** The thread of the program. */
  readonly observer: SimulatedThread
  /** Of a machine of its own, where one is named. */
  thread(name: string, host?: string): SimulatedThread
  open(name?: string, thread?: SimulatedThread): Promise<Store>
  /** Milliseconds since the start. */
  nowMs(): number
  wait(ms: number): Promise<void>
}

export interface EtcdRun {
  readonly hash: string
  readonly events: number
}

/** Runs a program against a simulated etcd, on virtual time and under the simulator's traps. */
export async function runWithEtcd(seed: number, program: (world: EtcdWorld) => Promise<void>): Promise<EtcdRun> {
  const schedule = new Schedule({ eventsMax: 1_000_000, virtualMsMax: 3_600_000 })
  const random = new SeededRandom(`etcd ${seed}`)
  const thread = (name: string, host?: string): SimulatedThread => new SimulatedThread(
    name, random.fork(name), (error) => schedule.fail(error),
    ...(host === undefined ? [] : [{ name: host, clock: new HostClock(), hold: new Hold() }]),
  )
  const observer = thread('observer')
  const etcd = new SimulatedEtcd(schedule, random.fork('etcd'))
  const clock = clockOf(schedule, observer)
  const world: EtcdWorld = {
    etcd, schedule, observer, thread,
    open: (name = 'store', by = observer) => etcd.in('/zones/test', by).open(name),
    nowMs: () => clock.monotonic(),
    wait: (ms) => pause({ clock }, ms),
  }
  const onRejection = (error: unknown): void => schedule.fail(error)
  process.on('unhandledRejection', onRejection)
  const removeTraps = installTraps(createWebCrypto(random.fork('webcrypto')), (error) => schedule.fail(error))
  let ended = false
  try {
    schedule.soon(observer, () => {
      program(world).then(() => { ended = true }, (error: unknown) => schedule.fail(error))
    })
    await schedule.run(() => ended)
    return { hash: schedule.digest(), events: schedule.delivered }
  } finally {
    removeTraps()
    process.off('unhandledRejection', onRejection)
    observer.end()
  }
}

/** Many seeds: what the faults may do differs from one to the next. */
export async function forSeeds(count: number, program: (world: EtcdWorld) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) await runWithEtcd(seed, program)
}
