/** One contender. Both do the same to keys and values of the same sizes, and both answer a put when it is durable. */
export interface Side {
  /** Writes all keys once. */
  fill(): Promise<void>
  /** Calls per second with so many in flight. */
  put(inFlight: number, ms: number): Promise<number>
  get(inFlight: number, ms: number): Promise<number>
}

/** Writes so many, one after the other, and settles when every watcher has seen each of them, once and in order. */
export type FanOut = (writes: number) => Promise<void>
