import type { Deferred } from './within.ts'
import type { Given } from './worker.ts'

/** Somebody wants the actor to serve. */
export interface Wish {
  readonly given: Given
  readonly withdrawn: AbortController
  /** Settles when it serves, or is given up; another one once that incarnation has ended. */
  serving: Deferred<void>
}

export type Cause = 'died' | 'a need died' | 'stop' | 'failed'

/** One attempt to serve, from its start to its end. */
export interface Attempt {
  /** Why the one before did not come to serve, where that is no death: it waits. */
  readonly awaited: string
  /** Its links were made: it must go when one of its needs goes. */
  linked: boolean
  served: boolean
  cause: Cause | undefined
  readonly over: Deferred<void>
}
