import type { Frame } from '../platform/ports.ts'
import type { TlsConnection } from '../platform/tls-ports.ts'
import { delays } from './delays.ts'
import type { Medium } from './network.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Lane } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

/** Microseconds between two attempts to send what does not get through, and after which a sender gives up. */
const REPEAT_US = 1_000_000
const GIVE_UP_US = 60_000_000

interface Listeners {
  onBytes(bytes: Uint8Array): void
  onClose(reason: string): void
}

interface Piece {
  readonly kind: string
  readonly payload: Frame
  readonly task: () => void
}

/**
 * One end of a connection between two threads. What is lost is sent again, in order and only later; a machine that
 * cannot reach the other for a minute gives up, and one that has ended says so to who sends.
 */
export class StreamEnd {
  readonly name: string
  readonly thread: SimulatedThread
  readonly #medium: Medium
  readonly #random: SeededRandom
  readonly #lane: Lane
  readonly #leaveThread: () => void
  #peer!: StreamEnd
  #closed: string | undefined
  #over = false
  /** Sent, and not on its way yet. */
  readonly #pieces: Piece[] = []
  #stuckUs = 0
  #listeners: Listeners | undefined
  readonly #backlog: (() => void)[] = []
  /** Runs once, when it has ended. */
  onOver: () => void = () => {}
  /** Bytes that have not come to who reads at the other end. */
  unsent = 0

  private constructor(name: string, thread: SimulatedThread, medium: Medium, random: SeededRandom) {
    this.name = name
    this.thread = thread
    this.#medium = medium
    this.#random = random
    this.#lane = createLane(random)
    this.#leaveThread = thread.onEnd(() => this.cut('its thread has ended'))
  }

  static pair(
    name: string, client: SimulatedThread, server: SimulatedThread, medium: Medium, random: SeededRandom,
  ): readonly [StreamEnd, StreamEnd] {
    const near = new StreamEnd(`${name}.client`, client, medium, random.fork('client'))
    const far = new StreamEnd(`${name}.server`, server, medium, random.fork('server'))
    near.#peer = far
    far.#peer = near
    return [near, far]
  }

  get alive(): boolean {
    return !this.#over && this.thread.alive
  }

  /** Runs the task at the other end, after all that was sent before. */
  tell(kind: string, payload: Frame, task: () => void): void {
    this.#pieces.push({ kind, payload, task: () => void (this.#peer.alive && task()) })
    if (this.#stuckUs === 0) this.#flush()
  }

  /** As the other end has it, once the handshake is done. */
  connection(alpn: string, remoteAddress: string, certificate: Uint8Array | undefined): TlsConnection {
    const end = this
    return {
      alpn, remoteAddress, ...(certificate ? { certificate } : {}),
      get unsent() { return end.unsent },
      send: (bytes) => this.#send(bytes),
      receive: (onBytes, onClose) => this.#receive({ onBytes, onClose }),
      close: (reason) => this.close(reason),
    }
  }

  close(reason: string): void {
    if (this.#closed !== undefined || this.#over) return
    this.#closed = reason
    const { schedule } = this.#medium
    this.tell('tls-close', reason, () => this.#peer.#arrive(() => this.#peer.#finish('the peer closed the connection')))
    schedule.soon(this.thread, () => this.#finish(reason))
  }

  /** At once, with what is under way to this end; the other end is told. */
  cut(reason: string): void {
    if (this.#over) return
    if (this.#closed === undefined) this.close(reason)
    this.#finish(reason)
  }

  #send(bytes: Uint8Array): void {
    if (this.#closed !== undefined || !this.alive || bytes.length === 0) return
    const sent = bytes.slice()
    this.unsent += sent.length
    this.tell('tls-bytes', sent, () => this.#peer.#arrive(() => {
      this.unsent -= sent.length
      if (this.#peer.#closed === undefined) this.#peer.#listeners?.onBytes(sent)
    }))
  }

  #receive(listeners: Listeners): void {
    if (this.#over) return this.#medium.schedule.soon(this.thread, () => listeners.onClose(this.#closed ?? 'cut'))
    this.#listeners = listeners
    this.#medium.schedule.soon(this.thread, () => this.#drain())
  }

  #arrive(task: () => void): void {
    // Whoever closed reads no more
    if (this.#closed !== undefined) return
    if (this.#listeners && this.#backlog.length === 0) task()
    else this.#backlog.push(task)
  }

  #drain(): void {
    const task = this.#backlog.shift()
    if (!task || this.#over) return
    if (this.#backlog.length > 0) this.#medium.schedule.soon(this.thread, () => this.#drain())
    task()
  }

  #flush(): void {
    const { schedule, wires } = this.#medium
    const [here, there] = [this.thread.on?.name ?? '', this.#peer.thread.on?.name ?? '']
    while (this.#pieces.length > 0) {
      const { kind, payload, task } = this.#pieces[0]!
      const send = (delayUs: number): void => schedule.inOrder({
        to: this.#peer.thread, lane: this.#lane, delayUs: delayUs + this.#random.within(delays.http), kind,
        from: this.name, payload, task,
      })
      if (here === there) send(0)
      else if (!wires.pass(here, there, send)) return this.#repeatLater()
      else if (kind === 'tls-bytes' && !this.#peer.alive) this.#reset(here, there)
      this.#pieces.shift()
    }
    this.#stuckUs = 0
  }

  #repeatLater(): void {
    if (this.#stuckUs >= GIVE_UP_US) return this.#finish('the other end is not reached')
    this.#stuckUs += REPEAT_US
    this.#medium.schedule.after({
      to: this.thread, lane: this.thread.lane, delayUs: REPEAT_US, kind: 'timer', from: `repeat ${this.name}`,
      task: () => void (this.#pieces.length > 0 && this.#flush()),
    })
  }

  /** Its close may have been lost: the machine there says that nobody has that end any more. */
  #reset(here: string, there: string): void {
    const { schedule, wires } = this.#medium
    wires.pass(there, here, (delayUs) => schedule.inOrder({
      to: this.thread, lane: this.#peer.#lane, delayUs, kind: 'tls-reset', from: there,
      task: () => this.#finish('the peer is gone'),
    }))
  }

  #finish(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#closed ??= reason
    this.#backlog.length = 0
    this.#leaveThread()
    this.onOver()
    if (this.thread.alive) this.#listeners?.onClose(this.#closed)
  }
}
