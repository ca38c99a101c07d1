import type { Cancel, Clock } from '../../runtime/platform/ports.ts'

export interface LinesOptions {
  readonly items: AsyncIterable<{ readonly item?: unknown }>
  readonly clock: Clock
  readonly heartbeatMs: number
  /** The last line of a stream that failed. */
  readonly failure: (error: unknown) => object
  /** Runs once, however it ends. */
  readonly onOver: () => void
}

const DONE: IteratorResult<string> = { done: true, value: undefined }

/**
 * A stream as lines of JSON: `{"item":…}` each, a blank line when there was none for a while, and a last one that says
 * how it ended, `{"end":true}` or the error. One that stops without that line was cut.
 */
export class Lines implements AsyncIterableIterator<string> {
  readonly #options: LinesOptions
  readonly #items: AsyncIterator<{ readonly item?: unknown }>
  #pulling = false
  #ready: string | undefined
  #isLast = false
  #over = false
  #waiting: ((step: IteratorResult<string>) => void) | undefined
  #cancelHeartbeat: Cancel = () => {}

  constructor(options: LinesOptions) {
    this.#options = options
    this.#items = options.items[Symbol.asyncIterator]()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<string>> {
    if (this.#over) return Promise.resolve(DONE)
    return new Promise((resolve) => {
      this.#waiting = resolve
      const { clock, heartbeatMs } = this.#options
      this.#cancelHeartbeat = clock.after(heartbeatMs, () => this.#give('\n'))
      if (this.#ready === undefined && !this.#pulling) this.#pull()
      else this.#flush()
    })
  }

  /** The reader has gone. */
  return(): Promise<IteratorResult<string>> {
    this.#leave()
    this.#finish()
    this.#waiting?.(DONE)
    return Promise.resolve(DONE)
  }

  /** Its last line is this error. */
  fail(error: unknown): void {
    if (this.#isLast || this.#over) return
    this.#leave()
    this.#arrive(this.#options.failure(error), true)
  }

  #pull(): void {
    this.#pulling = true
    this.#items.next().then(
      ({ done, value }) => (done ? this.#arrive({ end: true }, true) : this.#arrive({ item: value.item }, false)),
      (error: unknown) => this.#arrive(this.#options.failure(error), true),
    )
  }

  #arrive(line: object, isLast: boolean): void {
    this.#pulling = false
    if (this.#isLast || this.#over) return
    this.#isLast = isLast
    this.#ready = `${JSON.stringify(line)}\n`
    this.#flush()
  }

  #flush(): void {
    if (this.#ready === undefined || !this.#waiting) return
    const line = this.#ready
    this.#ready = undefined
    if (this.#isLast) this.#finish()
    this.#give(line)
  }

  #give(value: string): void {
    this.#cancelHeartbeat()
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.({ done: false, value })
  }

  #leave(): void {
    this.#items.return?.().catch(() => {})
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#cancelHeartbeat()
    this.#options.onOver()
  }
}
