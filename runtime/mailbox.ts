import { DeadlineExceeded, Overloaded, type ZonewrightError } from './errors.ts'
import type { Clock } from './platform/ports.ts'

/** One accepted call. */
export interface Job {
  /** Epoch milliseconds. */
  readonly deadline: number
  /** True when it has ended already; else the job calls `release` of its lane once, at its end. */
  run(): boolean
  /** It will not run. */
  drop(error: ZonewrightError): void
}

export interface Lane {
  /** Runs the job now or keeps it; returns why it does neither. */
  admit(job: Job): ZonewrightError | undefined
  release(): void
}

/**
 * What waits for one actor, first in first out. Calls are exclusive: they share one lane, where one runs at a time. A
 * method with `concurrent: N` has a lane of its own, N wide, that does not wait for the others. What waits in all lanes
 * together is bounded.
 */
export interface Mailbox {
  readonly waiting: number
  readonly running: number
  /** Shared by all exclusive methods. */
  readonly exclusive: Lane
  lane(width: number): Lane
  /** Refuses every later call; what waits still runs. */
  close(error: ZonewrightError): void
  /** Settles when nothing waits or runs. */
  idle(): Promise<void>
  /** Drops what waits. */
  drop(error: ZonewrightError): void
}

export function createMailbox(options: { readonly capacity: number; readonly clock: Clock }): Mailbox {
  const { capacity, clock } = options
  const queues: Job[][] = []
  let waiting = 0
  let running = 0
  let closed: ZonewrightError | undefined
  let idle: (() => void)[] = []

  const rested = (): void => {
    if (waiting + running > 0 || idle.length === 0) return
    const listeners = idle
    idle = []
    for (const listener of listeners) listener()
  }

  const openLane = (width: number): Lane => {
    const queue: Job[] = []
    queues.push(queue)
    let busy = 0
    const start = (job: Job): void => {
      busy++
      running++
      if (job.run()) {
        busy--
        running--
      }
    }
    return {
      admit(job) {
        if (closed) return closed
        if (busy < width && queue.length === 0) {
          start(job)
          return undefined
        }
        if (waiting >= capacity) return new Overloaded(`The mailbox is full: ${waiting} calls wait`)
        queue.push(job)
        waiting++
        return undefined
      },
      release() {
        busy--
        running--
        while (busy < width && queue.length > 0) {
          const job = queue.shift()!
          waiting--
          if (job.deadline <= clock.now()) job.drop(new DeadlineExceeded('The deadline passed while the call waited'))
          else start(job)
        }
        rested()
      },
    }
  }

  return {
    get waiting() { return waiting },
    get running() { return running },
    exclusive: openLane(1),
    lane: openLane,
    close(error) {
      closed ??= error
    },
    idle: () => new Promise((resolve) => {
      idle.push(resolve)
      rested()
    }),
    drop(error) {
      for (const queue of queues) {
        const jobs = queue.splice(0)
        waiting -= jobs.length
        for (const job of jobs) job.drop(error)
      }
      rested()
    },
  }
}
