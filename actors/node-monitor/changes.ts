import { Overloaded } from '../../runtime/errors.ts'
import { ENDED, Feed, PENDING, type Polled } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'

/** What is told to one reader: what is so when it begins, then each change. */
export class Changes<T> extends Feed<T> {
  #waiting: T[]
  #failure: Error | undefined
  #over = false
  readonly #onClose: (changes: Changes<T>) => void

  constructor(first: readonly T[], signal: AbortSignal, onClose: (changes: Changes<T>) => void) {
    super()
    this.#waiting = [...first]
    this.#onClose = onClose
    if (signal.aborted) this.close()
    else signal.addEventListener('abort', () => this.close(), { once: true })
  }

  tell(change: T): void {
    if (this.#over || this.#failure) return
    if (this.#waiting.length >= limits.nodeChanges) {
      this.#failure = new Overloaded(`More than ${limits.nodeChanges} changes wait for this reader`)
    } else this.#waiting.push(change)
    this.onReady()
  }

  poll(): Polled<T> {
    const next = this.#waiting.shift()
    if (next !== undefined) return next
    if (this.#failure) {
      this.close()
      throw this.#failure
    }
    return this.#over ? ENDED : PENDING
  }

  close(): void {
    if (this.#over) return
    this.#over = true
    this.#onClose(this)
    this.onReady()
  }
}
