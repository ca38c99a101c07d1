import { safeParse } from 'valibot'
import type { Scope } from '../context.ts'
import { Cancelled, type ZonewrightError } from '../errors.ts'
import { ENDED, Feed, PENDING } from '../feed.ts'
import { limits } from '../limits.ts'
import type { CallSettings } from '../protocol.ts'
import { Pending, wrongShape, type PendingOwner } from './pending.ts'
import { OPEN, malformed, type MethodPlan } from './rpc.ts'

interface Reader {
  resolve(step: IteratorResult<unknown>): void
  reject(error: ZonewrightError): void
}

/**
 * The reading end of a stream. It lets the writer have `limits.streamCredit` items under way, and gives credit back
 * in halves as they are read.
 */
export class StreamReader extends Pending implements AsyncIterator<unknown> {
  readonly #items: unknown[] = []
  readonly #readers: Reader[] = []
  #read = 0
  #ended = false
  #error: ZonewrightError | undefined

  constructor(
    owner: PendingOwner, plan: MethodPlan, args: unknown, deadline: number, settings: CallSettings | undefined,
    scope: Scope | undefined,
  ) {
    super(OPEN, owner, plan, args, deadline, settings, scope)
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift()
      this.#taken()
      return Promise.resolve({ done: false, value })
    }
    if (this.#error) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
    })
  }

  /** The reader has seen enough. */
  return(): Promise<IteratorResult<unknown>> {
    this.cancel(new Cancelled(`The reader left the stream: ${this.plan.name}`))
    this.#items.length = 0
    this.#error = undefined
    return Promise.resolve({ done: true, value: undefined })
  }

  #taken(): void {
    if (++this.#read < limits.streamCredit / 2 || this.#ended) return
    this.more(this.#read)
    this.#read = 0
  }

  /** An item arrived. */
  succeed(value: unknown): void {
    if (this.plan.entry.kind !== 'stream') throw malformed()
    const item = safeParse(this.plan.entry.item, value)
    if (!item.success) {
      return this.cancel(wrongShape('item', this.plan, item.issues))
    }
    const reader = this.#readers.shift()
    if (reader) {
      reader.resolve({ done: false, value: item.output })
      return this.#taken()
    }
    if (this.#items.length >= limits.streamCredit) throw malformed()
    this.#items.push(item.output)
  }

  fail(error: ZonewrightError): void {
    const [first, ...rest] = this.#readers.splice(0)
    this.#ended = true
    if (first) first.reject(error)
    else this.#error = error
    for (const reader of rest) reader.resolve({ done: true, value: undefined })
  }

  end(): void {
    this.#ended = true
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined })
  }
}

/** What a served stream tells its caller. */
export interface StreamSink {
  /** False when the item cannot be sent; the stream has failed then. */
  item(value: unknown): boolean
  /** As `item`, of a value that nobody changes any more. */
  shared(value: unknown): boolean
  /** Has `pump` called soon. */
  ready(): void
  end(): void
  fail(error: unknown): void
}

/**
 * The writing end: asks the actor's iterator for an item when the reader has credit for it. From a feed it takes all
 * that is there in one turn.
 */
export class StreamWriter {
  readonly #sink: StreamSink
  #feed: Feed<unknown> | undefined
  #credit: number = limits.streamCredit
  #wake: (() => void) | undefined
  #stopped = false

  constructor(sink: StreamSink) {
    this.#sink = sink
  }

  /** False when the reader gave more than it may. */
  add(credit: number): boolean {
    if (this.#credit + credit > limits.streamCredit) return false
    this.#credit += credit
    this.#wake?.()
    if (this.#feed) this.#sink.ready()
    return true
  }

  stop(): void {
    this.#stopped = true
    this.#wake?.()
    this.#feed?.close()
    this.#feed = undefined
  }

  async run(items: AsyncIterable<unknown>): Promise<void> {
    if (!(items instanceof Feed)) return this.#iterate(items)
    if (this.#stopped) return items.close()
    this.#feed = items
    items.onReady = () => this.#sink.ready()
    this.#sink.ready()
  }

  /** Writes what the feed has now, as far as the credit goes. */
  pump(): void {
    const feed = this.#feed
    if (!feed) return
    try {
      while (this.#credit > 0) {
        const item = feed.poll()
        if (item === PENDING) return
        if (item === ENDED) break
        this.#credit--
        if (!this.#sink.shared(item)) return this.stop()
      }
      if (this.#credit === 0) return
      this.#feed = undefined
      this.#sink.end()
    } catch (error) {
      this.#feed = undefined
      this.#sink.fail(error)
    }
  }

  async #iterate(items: AsyncIterable<unknown>): Promise<void> {
    let iterator: AsyncIterator<unknown> | undefined
    let finished = false
    try {
      iterator = items[Symbol.asyncIterator]()
      while (this.#credit > 0 ? !this.#stopped : await this.#mayWrite()) {
        const step = await iterator.next()
        if (this.#stopped) break
        if (step.done) {
          finished = true
          return this.#sink.end()
        }
        this.#credit--
        if (!this.#sink.item(step.value)) break
      }
    } catch (error) {
      finished = true
      if (!this.#stopped) this.#sink.fail(error)
    } finally {
      if (!finished) await iterator?.return?.()
    }
  }

  async #mayWrite(): Promise<boolean> {
    while (this.#credit === 0 && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return !this.#stopped
  }
}
