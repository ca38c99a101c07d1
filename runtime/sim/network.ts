import { limits } from '../limits.ts'
import { closeReason } from '../platform/port-close.ts'
import type { Channel, ChannelKind, Frame } from '../platform/ports.ts'
import { delays } from './delays.ts'
import type { Hold, Receiver } from './queue.ts'
import type { SeededRandom } from './random.ts'
import { createLane, SimulationLimit, type Lane, type Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'
import type { Wires } from './wires.ts'

/** What channels of one run have in common. */
export interface Medium {
  readonly schedule: Schedule
  readonly wires: Wires
  /** Told of what leaves a host. */
  onFrame(from: SimulatedThread, to: SimulatedThread, frame: Frame): void
}

/** What a close says to the other end, as on a port. */
const SAID: ReadonlySet<Frame> = new Set([closeReason.alone, closeReason.ended])

/** One end of a channel. Until a thread opens it, what arrives waits, as in a MessagePort. */
export class ChannelEnd implements Receiver {
  readonly #label: string
  readonly #schedule: Schedule
  readonly #medium: Medium
  readonly #random: SeededRandom
  readonly #lane: Lane
  #peer!: ChannelEnd
  #thread: SimulatedThread
  #leaveThread: () => void = () => {}
  #closed = false
  #listeners: { onFrame(frame: Frame): void; onClose(reason: string): void } | undefined
  /** A frame, or the close as a task. */
  readonly #backlog: (() => void)[] = []

  private constructor(label: string, medium: Medium, random: SeededRandom, thread: SimulatedThread) {
    this.#label = label
    this.#medium = medium
    this.#schedule = medium.schedule
    this.#random = random
    this.#lane = createLane(random)
    this.#thread = thread
  }

  /** Two connected ends; both belong to `thread` until they are handed over. */
  static pair(
    label: string, medium: Medium, random: SeededRandom, thread: SimulatedThread,
  ): readonly [ChannelEnd, ChannelEnd] {
    const left = new ChannelEnd(`${label}.a`, medium, random.fork(`${label}.a`), thread)
    const right = new ChannelEnd(`${label}.b`, medium, random.fork(`${label}.b`), thread)
    left.#peer = right
    right.#peer = left
    for (const end of [left, right]) end.moveTo(thread)
    return [left, right]
  }

  get name(): string {
    return `${this.#thread.name}${this.#label}`
  }

  get hold(): Hold | undefined {
    return this.#thread.hold
  }

  get alive(): boolean {
    return !this.#closed && this.#thread.alive
  }

  uncaught(error: unknown): void {
    this.#thread.uncaught(error)
  }

  crash(reason: string): void {
    this.#thread.crash(reason)
  }

  /** The channel closes when its thread ends. */
  moveTo(thread: SimulatedThread): void {
    this.#leaveThread()
    this.#thread = thread
    this.#leaveThread = thread.onEnd(() => this.#close(closeReason.alone, false))
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
    const [here, there] = [this.#thread.on, this.#peer.#thread.on]
    if (here === there || !here || !there) {
      return this.#send(kind, payload, this.#random.within(delays.channel), true)
    }
    if (kind === 'frame') {
      this.#medium.onFrame(this.#thread, this.#peer.#thread, payload)
      if (!this.#peer.alive) return this.#reset(here.name, there.name)
    }
    this.#medium.wires.cross(here.name, there.name, ({ delaysUs, inOrder, changed }) => {
      const sent = changed && kind === 'frame' ? damaged(payload, this.#random) : payload
      for (const delayUs of delaysUs) this.#send(kind, sent, delayUs, inOrder)
    })
  }

  /** Nobody has the other end any more, and its close may have been lost: the machine there says so to who sends. */
  #reset(here: string, there: string): void {
    const { wires } = this.#medium
    wires.carry(here, there, (toUs) => wires.carry(there, here, (backUs) => this.#schedule.inOrder({
      to: this, lane: this.#peer.#lane, delayUs: toUs + backUs, kind: 'reset', from: there,
      task: () => this.#finish('the peer is gone'),
    })))
  }

  #send(kind: 'frame' | 'close', payload: Frame, delayUs: number, inOrder: boolean): void {
    const peer = this.#peer
    const arrival = kind === 'frame'
      ? () => peer.#listeners?.onFrame(payload)
      : () => peer.#finish(SAID.has(payload) ? String(payload) : closeReason.closed)
    const event = {
      to: peer, lane: this.#lane, delayUs, kind, from: this.name, payload, task: () => peer.#arrive(arrival),
    }
    if (inOrder) this.#schedule.inOrder(event)
    else this.#schedule.after(event)
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

/** One byte, or one character, is another. */
function damaged(frame: Frame, random: SeededRandom): Frame {
  const at = random.word() % Math.max(1, frame.length)
  const flip = 1 + (random.word() % 127)
  if (typeof frame !== 'string') return frame.map((byte, index) => (index === at ? byte ^ flip : byte))
  return frame.slice(0, at) + String.fromCharCode(frame.charCodeAt(at) ^ flip) + frame.slice(at + 1)
}
