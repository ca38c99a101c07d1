/** Nothing yet: the feed says when it is worth asking again. */
export const PENDING = Symbol('pending')
/** Nothing any more. */
export const ENDED = Symbol('ended')

export type Polled<T> = T | typeof PENDING | typeof ENDED

/**
 * An AsyncIterable that can also be asked without a promise: what is there comes at once, so that a writer takes all
 * of it in one turn. It begins when it is first polled, and has one reader. Items are not changed once they are given
 * out: who writes a feed to a link may encode an object once for all streams that give the same one.
 */
export abstract class Feed<T> implements AsyncIterable<T> {
  /** Called when there may be something after PENDING; at once, inside whatever brought it. */
  onReady: () => void = () => {}

  /** @throws what the feed fails with; it has ended then */
  abstract poll(): Polled<T>

  /** Nobody reads on. */
  abstract close(): void

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return new FeedIterator(this)
  }
}

class FeedIterator<T> implements AsyncIterator<T> {
  readonly #feed: Feed<T>
  #waiting: (() => void)[] = []
  #done = false

  constructor(feed: Feed<T>) {
    this.#feed = feed
    feed.onReady = () => {
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  async next(): Promise<IteratorResult<T>> {
    while (!this.#done) {
      try {
        const item = this.#feed.poll()
        if (item === ENDED) break
        if (item !== PENDING) return { done: false, value: item }
      } catch (error) {
        this.#end()
        throw error
      }
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
    this.#end()
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#end()
    return { done: true, value: undefined }
  }

  #end(): void {
    if (this.#done) return
    this.#done = true
    this.#feed.close()
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** Of what `source` gives, what `refine` makes of it; what it makes nothing of is left out. */
export const refined = <T, U>(source: AsyncIterable<T>, refine: (item: T) => U | undefined): Feed<U> =>
  new Refined(feedOf(source), refine)

class Refined<T, U> extends Feed<U> {
  readonly #source: Feed<T>
  readonly #refine: (item: T) => U | undefined

  constructor(source: Feed<T>, refine: (item: T) => U | undefined) {
    super()
    this.#source = source
    this.#refine = refine
    source.onReady = () => this.onReady()
  }

  poll(): Polled<U> {
    for (;;) {
      const item = this.#source.poll()
      if (item === PENDING || item === ENDED) return item as typeof PENDING | typeof ENDED
      const made = this.#refine(item)
      if (made !== undefined) return made
    }
  }

  close(): void {
    this.#source.close()
  }
}

export const feedOf = <T>(source: AsyncIterable<T>): Feed<T> => (source instanceof Feed ? source : new Pulled(source))

/** Any other AsyncIterable, one item ahead of its reader. */
class Pulled<T> extends Feed<T> {
  readonly #source: AsyncIterable<T>
  #iterator: AsyncIterator<T> | undefined
  #step: IteratorResult<T> | undefined
  #failure: { readonly error: unknown } | undefined
  #pulling = false

  constructor(source: AsyncIterable<T>) {
    super()
    this.#source = source
  }

  poll(): Polled<T> {
    if (this.#failure) throw this.#failure.error
    const step = this.#step
    if (step?.done) return ENDED
    this.#step = undefined
    if (!this.#pulling) this.#pull()
    return step ? step.value : PENDING
  }

  close(): void {
    this.#step = { done: true, value: undefined }
    // An error while it is being closed has no reader any more
    void this.#iterator?.return?.().catch(() => {})
  }

  #pull(): void {
    this.#pulling = true
    this.#iterator ??= this.#source[Symbol.asyncIterator]()
    this.#iterator.next().then((step) => {
      if (!this.#step?.done) this.#step = step
    }, (error: unknown) => {
      this.#failure = { error }
    }).then(() => {
      this.#pulling = false
      this.onReady()
    })
  }
}
