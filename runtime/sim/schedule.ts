import { createHash } from 'node:crypto'
// Bound when this module loads, so the traps that a run installs do not touch it
import { setImmediate } from 'node:timers'
import { defineError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Cancel, Frame } from '../platform/ports.ts'
import { shortDigest } from './digest.ts'
import { Nondeterminism } from './nondeterminism.ts'
import { Queue, type Delivery, type Hold, type Receiver } from './queue.ts'
import type { SeededRandom } from './random.ts'

/** Nothing is left that could happen, but the program has not ended. */
export const SimulationStalled = defineError('SimulationStalled')
export const SimulationLimit = defineError('SimulationLimit')

const LINES_PER_HASH = 256
/** Deliveries for which the event loop is entered once: each is an immediate of its own, so microtasks run out. */
const DELIVERIES_PER_TURN = 64

/** A sequence of events that keeps its order: the timers of one thread, or one direction of a channel. */
export interface Lane {
  readonly tie: number
  /** The latest event of a lane with `ordered` delays. */
  lastUs: number
}

export const createLane = (random: SeededRandom): Lane => ({ tie: random.word(), lastUs: 0 })

export interface Scheduled {
  readonly to: Receiver
  readonly lane: Lane
  readonly delayUs: number
  readonly kind: string
  readonly from: string
  readonly payload?: Frame
  readonly task: () => void
}

/**
 * Virtual time. Delivers one event, lets every promise that can settle do so, then delivers the next; each delivery
 * is a line of the trace, and the hash of the lines is what two runs of one seed have in common.
 */
export class Schedule {
  nowUs = 0
  delivered = 0
  failure: unknown
  /** Whoever the event that is being delivered is for. */
  current: Receiver | undefined
  /** Nothing of the world happens but within a delivery and what it causes by microtask. */
  #inside = true
  readonly #eventsMax: number
  readonly #virtualUsMax: number
  readonly #onLine: ((line: string) => void) | undefined
  readonly #queue = new Queue()
  #soon: { readonly thread: Receiver; readonly task: () => void }[] = []
  #sequence = 0
  readonly #hash = createHash('sha256')
  #lines: string[] = []
  #previousLines: string[] = []
  /** What somebody waits for, named for the report of a stall. */
  readonly #waits = new Set<{ readonly thread: Receiver; readonly what: string }>()

  constructor(options: { eventsMax: number; virtualMsMax: number; onLine?: (line: string) => void }) {
    this.#eventsMax = options.eventsMax
    this.#virtualUsMax = options.virtualMsMax * 1_000
    this.#onLine = options.onLine
  }

  /** After the delay, wherever that is in the lane. */
  after(event: Scheduled): Cancel {
    return this.#push(event, this.nowUs + event.delayUs)
  }

  /** After the delay, and after all that was scheduled `inOrder` on this lane before. */
  inOrder(event: Scheduled): void {
    event.lane.lastUs = Math.max(event.lane.lastUs, this.nowUs + event.delayUs)
    this.#push(event, event.lane.lastUs)
  }

  #push(event: Scheduled, atUs: number): Cancel {
    if (!this.#inside) this.#outside()
    if (this.#queue.waiting >= limits.simulatedEvents) {
      this.fail(new SimulationLimit(`More events wait than limits.simulatedEvents: ${limits.simulatedEvents}`))
      return () => {}
    }
    const delivery: Delivery = {
      atUs, laneTie: event.lane.tie, tie: mix(event.lane.tie, atUs), sequence: ++this.#sequence, to: event.to,
      kind: event.kind, from: event.from, payload: event.payload, task: event.task, state: 'waiting',
    }
    this.#queue.push(delivery)
    return () => this.#queue.cancel(delivery)
  }

  /** When all that the current event caused has settled, before the next event. */
  soon(thread: Receiver, task: () => void): void {
    if (!this.#inside) this.#outside()
    this.#soon.push({ thread, task })
  }

  /** Names what the thread waits for, until the returned function is called. */
  waiting(thread: Receiver, what: string): () => void {
    const wait = { thread, what }
    this.#waits.add(wait)
    return () => void this.#waits.delete(wait)
  }

  /** The run ends with the first failure. */
  fail(error: unknown): void {
    this.failure ??= error ?? new Error('Rejected with nothing')
  }

  note(line: string): void {
    if (!this.#inside) this.#outside()
    if (this.#lines.length >= LINES_PER_HASH) this.#flush()
    this.#lines.push(line)
    this.#onLine?.(line)
  }

  lastLines(count: number): readonly string[] {
    return [...this.#previousLines, ...this.#lines].slice(-count)
  }

  /** Of all lines; the schedule has ended. */
  digest(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  /** What it held goes on: as late as it has become, in its old order. */
  release(hold: Hold): void {
    hold.paused = false
    for (const event of hold.events.splice(0)) {
      if (event.state !== 'held') continue
      event.state = 'waiting'
      event.atUs = Math.max(event.atUs, this.nowUs)
      event.tie = mix(event.laneTie, event.atUs)
      this.#queue.push(event)
    }
  }

  /** Delivers until `finished` or the first failure, which it throws. */
  run(finished: () => boolean): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      let over = false
      const end = (settle: () => void): void => {
        over = true
        this.#inside = false
        settle()
      }
      // Microtasks run out between two immediates on every runtime; nothing else is cheap and does that
      const step = (): void => {
        if (over) return
        this.#inside = true
        if (this.failure !== undefined) return end(() => reject(this.failure))
        if (this.#soon.length > 0) this.#runSoon()
        else if (finished()) return end(resolve)
        else this.#deliverNext()
      }
      // What settles between two turns was done by a thread pool, a timer or another program
      const leave = (): void => void (this.#inside = false)
      const turn = (): void => {
        if (over) return
        for (let count = 0; count < DELIVERIES_PER_TURN; count++) setImmediate(step)
        setImmediate(leave)
        setImmediate(turn)
      }
      setImmediate(turn)
    })
  }

  #outside(): void {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 30
    const { stack = '' } = new Error()
    Error.stackTraceLimit = stackTraceLimit
    const at = /^\s+at (?!.*\/sim\/(?:schedule|thread|host-clock|network|stores|disk|http|host))(.+)$/m.exec(stack)?.[1]
    this.fail(new Nondeterminism('Something settled outside virtual time, by a thread pool or a timer that is not of '
      + `a port, and went on at ${at ?? 'a place that the engine does not tell'}`))
  }

  /** Those of one thread at a time: what they cause by microtask is its doing. */
  #runSoon(): void {
    const batch = this.#soon
    const first = batch[0]!.thread
    const others = batch.findIndex(({ thread }) => thread !== first)
    this.#soon = others < 0 ? [] : batch.splice(others)
    for (const { thread, task } of batch) {
      if (thread.alive) this.#attempt(thread, task)
    }
  }

  #deliverNext(): void {
    let event = this.#queue.pop()
    while (event && (!event.to.alive || kept(event))) event = this.#queue.pop()
    if (!event) return this.fail(this.#stalled())
    if (this.delivered >= this.#eventsMax) return this.fail(this.#limit('maxEvents', this.#eventsMax))
    if (event.atUs > this.#virtualUsMax) return this.fail(this.#limit('maxVirtualMs', this.#virtualUsMax / 1_000))
    this.nowUs = event.atUs
    this.delivered++
    const digest = event.payload === undefined ? '-' : shortDigest(event.payload)
    this.note(`${event.atUs} ${event.kind} ${event.from} > ${event.to.name} ${digest}`)
    this.#attempt(event.to, event.task)
  }

  #stalled(): Error {
    return new SimulationStalled(`Nothing is left to happen, but the program has not ended; ${this.#whoWaits()}`)
  }

  #limit(name: string, value: number): Error {
    return new SimulationLimit(`The program has not ended within ${name}: ${value}; ${this.#whoWaits()}`)
  }

  #whoWaits(): string {
    const waits = [...this.#waits].filter(({ thread }) => thread.alive)
    if (waits.length === 0) return 'nobody waits for a worker or a server'
    return waits.map(({ thread, what }) => `${thread.name} waits for ${what}`).join('; ')
  }

  #attempt(receiver: Receiver, task: () => void): void {
    this.current = receiver
    try {
      task()
    } catch (error) {
      receiver.uncaught(error)
    }
  }

  #flush(): void {
    if (this.#lines.length === 0) return
    this.#hash.update(`${this.#lines.join('\n')}\n`)
    this.#previousLines = this.#lines
    this.#lines = []
  }
}

/** Its receiver stands still. */
function kept(event: Delivery): boolean {
  const { hold } = event.to
  if (!hold?.paused) return false
  event.state = 'held'
  hold.events.push(event)
  return true
}

/** Which lane comes first differs from one moment to the next, and with the seed. */
function mix(tie: number, atUs: number): number {
  const mixed = Math.imul(tie ^ (atUs | 0), 0x9e3779b1)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
