import { limits } from '../limits.ts'
import type { Channel, ChannelKind, Frame } from '../platform/ports.ts'
import { delays } from './delays.ts'
import type { Receiver } from './queue.ts'
import type { SeededRandom } from './random.ts'
import { createLane, SimulationLimit, type Lane, type Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

/** One end of a channel. Until a thread opens it, what arrives waits, as in a MessagePort. */
export class ChannelEnd implements Receiver {
  readonly #label: string
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #lane: Lane
  #peer!: ChannelEnd
  #thread: SimulatedThread
  #leaveThread: () => void = () => {}
  #closed = false
  #listeners: { onFrame(frame: Frame): void; onClose(reason: string): void } | undefined
  /** A frame, or the close as a task. */
  readonly #backlog: (() => void)[] = []

  private constructor(label: string, schedule: Schedule, random: SeededRandom, thread: SimulatedThread) {
    this.#label = label
    this.#schedule = schedule
    this.#random = random
    this.#lane = createLane(random)
    this.#thread = thread
  }

  /** Two connected ends; both belong to `thread` until they are handed over. */
  static pair(
    label: string, schedule: Schedule, random: SeededRandom, thread: SimulatedThread,
  ): readonly [ChannelEnd, ChannelEnd] {
    const left = new ChannelEnd(`${label}.a`, schedule, random.fork(`${label}.a`), thread)
    const right = new ChannelEnd(`${label}.b`, schedule, random.fork(`${label}.b`), thread)
    left.#peer = right
    right.#peer = left
    for (const end of [left, right]) end.moveTo(thread)
    return [left, right]
  }

  get name(): string {
    return `${this.#thread.name}${this.#label}`
  }

  get alive(): boolean {
    return !this.#closed && this.#thread.alive
  }

  uncaught(error: unknown): void {
    this.#thread.uncaught(error)
  }

  /** The channel closes when its thread ends. */
  moveTo(thread: SimulatedThread): void {
    this.#leaveThread()
    this.#thread = thread
    this.#leaveThread = thread.onEnd(() => this.#close('the peer closed its end', false))
  }

  toJSON(): string {
    return this.#label
  }

  open(kind: ChannelKind): Channel {
    return {
      kind,
      send: (frame) => {
        // The sender may use its buffer again at once
        if (this.alive) this.#transmit('frame', typeof frame === 'string' ? frame : frame.slice())
      },
      receive: (onFrame, onClose) => {
        this.#listeners = { onFrame, onClose }
        this.#schedule.soon(this, () => this.#drain())
      },
      close: (reason) => this.#close(reason, true),
    }
  }

  #transmit(kind: 'frame' | 'close', payload: Frame): void {
    const peer = this.#peer
    const arrival = kind === 'frame'
      ? () => peer.#listeners?.onFrame(payload)
      : () => peer.#finish('the peer closed its end')
    this.#schedule.inOrder({
      to: peer, lane: this.#lane, delayUs: this.#random.within(delays.channel), kind, from: this.name, payload,
      task: () => peer.#arrive(arrival),
    })
  }

  #arrive(task: () => void): void {
    if (this.#listeners && this.#backlog.length === 0) return task()
    this.#backlog.push(task)
    if (this.#backlog.length > limits.simulatedBacklog) {
      this.#schedule.fail(new SimulationLimit(`Too many frames wait for an end that nobody opens: ${this.name}`))
    }
  }

  /** One at a time, as if each had just arrived. */
  #drain(): void {
    const task = this.#backlog.shift()
    if (!task || this.#closed) return
    if (this.#backlog.length > 0) this.#schedule.soon(this, () => this.#drain())
    task()
  }

  #close(reason: string, tell: boolean): void {
    if (this.#closed) return
    this.#transmit('close', reason)
    this.#finish(reason, tell)
  }

  #finish(reason: string, tell = true): void {
    this.#closed = true
    this.#leaveThread()
    if (tell) this.#listeners?.onClose(reason)
  }
}
