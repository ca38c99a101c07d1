import { messageOf, Unavailable } from '../errors.ts'
import type { Cancel, Frame } from '../platform/ports.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

/** Pieces that are under way or not read yet, as a connection's buffers hold them. */
const WINDOW = 4

export type Piece = string | Uint8Array

export type Deliver = (to: SimulatedThread, kind: string, payload: Frame, task: () => void) => void

export interface StreamOptions {
  readonly pieces: AsyncIterable<Piece>
  readonly schedule: Schedule
  readonly server: SimulatedThread
  readonly client: SimulatedThread
  readonly deliver: Deliver
  /** A client that reads nothing for so long is cut. */
  readonly stallMs: number
  /** Runs once, when nothing is sent any more. */
  readonly onOver: () => void
}

interface Waiting {
  resolve(step: IteratorResult<Piece>): void
  reject(error: Error): void
}

/** The body of an answer that comes piece by piece: both ends of it. */
export class SimulatedStream implements AsyncIterableIterator<Piece> {
  readonly #options: StreamOptions
  readonly #source: AsyncIterator<Piece>
  readonly #leaveClient: Cancel
  #over = false
  #credit = WINDOW
  #more = (): void => {}
  readonly #pieces: Piece[] = []
  #end: { readonly error?: Error } | undefined
  #waiting: Waiting | undefined

  constructor(options: StreamOptions) {
    this.#options = options
    this.#source = options.pieces[Symbol.asyncIterator]()
    this.#leaveClient = options.client.onEnd(() => this.#tell('http-left', () => this.#finish(true)))
    void this.#send()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The server, or its thread, ends the connection. */
  cut(reason: string): void {
    if (this.#over) return
    this.#finish(true)
    this.#toClient('http-cut', reason, () => this.#ended({ error: new Unavailable(reason) }))
  }

  next(): Promise<IteratorResult<Piece>> {
    const value = this.#pieces.shift()
    if (value !== undefined) {
      this.#tell('http-read', () => {
        this.#credit++
        this.#more()
      })
      return Promise.resolve({ done: false, value })
    }
    if (this.#end?.error) return Promise.reject(this.#end.error)
    if (this.#end) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  return(): Promise<IteratorResult<Piece>> {
    this.#end ??= {}
    this.#pieces.length = 0
    this.#waiting?.resolve({ done: true, value: undefined })
    this.#tell('http-left', () => this.#finish(true))
    return Promise.resolve({ done: true, value: undefined })
  }

  async #send(): Promise<void> {
    try {
      while (!this.#over) {
        const step = await this.#source.next()
        if (this.#over) return
        if (step.done) {
          this.#finish(false)
          return this.#toClient('http-end', '', () => this.#ended({}))
        }
        this.#credit--
        this.#toClient('http-piece', step.value, () => this.#arrived(step.value))
        await this.#taken()
      }
    } catch (error) {
      this.#finish(false)
      this.#toClient('http-cut', messageOf(error), () => this.#ended({ error: new Unavailable('Connection cut') }))
    }
  }

  async #taken(): Promise<void> {
    if (this.#credit > 0 || this.#over) return
    const { schedule, server, stallMs } = this.#options
    const cancel = schedule.after({
      to: server, lane: server.lane, delayUs: stallMs * 1_000, kind: 'timer', from: 'http stall',
      task: () => this.cut('Connection cut'),
    })
    await new Promise<void>((resolve) => {
      this.#more = resolve
    })
    cancel()
  }

  /** At the server. */
  #finish(leave: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#leaveClient()
    this.#more()
    if (leave && this.#options.server.alive) this.#source.return?.().catch(() => {})
    this.#options.onOver()
  }

  #tell(kind: string, task: () => void): void {
    if (!this.#over) this.#options.deliver(this.#options.server, kind, '', task)
  }

  #toClient(kind: string, payload: Frame, task: () => void): void {
    this.#options.deliver(this.#options.client, kind, payload, task)
  }

  #arrived(value: Piece): void {
    if (this.#end) return
    this.#pieces.push(value)
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) void this.next().then(waiting.resolve)
  }

  #ended(end: { readonly error?: Error }): void {
    if (this.#end) return
    this.#end = end
    if (end.error) this.#waiting?.reject(end.error)
    else this.#waiting?.resolve({ done: true, value: undefined })
  }
}
