import { ENDED, Feed, PENDING, type Polled } from '../../runtime/feed.ts'
import type { Cancel, Clock } from '../../runtime/platform/ports.ts'
import { inScope, type Scope } from './key-path.ts'
import type { Permission } from './permission.ts'
import type { Change, Records, Watched } from './records.ts'
import type { Caller, Session } from './sessions.ts'
import type { State } from './state.ts'

type Parts = Pick<State, 'records' | 'permission' | 'steps'> & { readonly clock: Clock }

/**
 * Changes of a scope, as far as its reader may see them. The right is looked at again before the next change whenever
 * trust or policy is another, and when the session has expired; between those an event costs two comparisons.
 */
export class PermittedWatch extends Feed<Change> {
  readonly #records: Records
  readonly #permission: Permission
  readonly #steps: Parts['steps']
  readonly #clock: Clock
  readonly #asked: Watched
  readonly #after: number
  readonly #cx: Caller & { readonly signal: AbortSignal }
  /** What of the scope may be read; undefined until that was looked at. */
  #scope: Scope | undefined
  /** It is less than what was asked for. */
  #narrowed = false
  #generation = -1
  #expiresMs = 0
  #checking = false
  #failure: { readonly error: unknown } | undefined
  #source: Feed<Change> | undefined
  #cancelTimer: Cancel = () => {}

  constructor(
    { records, permission, steps, clock }: Parts, asked: Watched, after: number,
    cx: Caller & { readonly signal: AbortSignal },
  ) {
    super()
    this.#records = records
    this.#permission = permission
    this.#steps = steps
    this.#clock = clock
    this.#asked = asked
    this.#after = after
    this.#cx = cx
  }

  poll(): Polled<Change> {
    if (this.#failure) throw this.#failure.error
    if (this.#checking) return PENDING
    if (this.#generation !== this.#permission.generation || this.#clock.now() >= this.#expiresMs) {
      this.#check()
      return PENDING
    }
    for (;;) {
      const change = this.#source!.poll()
      if (!this.#narrowed || change === PENDING || change === ENDED || inScope(this.#scope!, change.key)) return change
    }
  }

  close(): void {
    this.#cancelTimer()
    this.#source?.close()
  }

  /** The right to read, of now. */
  #check(): void {
    this.#checking = true
    const { generation } = this.#permission
    this.#permission.scope(this.#cx, this.#asked).then(({ session, scope }) => {
      this.#scope = scope
      this.#narrowed = scope.self !== this.#asked.self || scope.tree !== this.#asked.tree
      this.#generation = generation
      this.#endAt(session.expSeconds * 1_000)
      if (!this.#source) this.#begin(session)
    }).catch((error: unknown) => {
      this.#failure = { error }
    }).then(() => {
      this.#checking = false
      this.onReady()
    })
  }

  /** Nobody may wait for ever on a token that has died. */
  #endAt(expiresMs: number): void {
    this.#expiresMs = expiresMs
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(Math.max(1, expiresMs - this.#clock.now()), () => {
      // A timer may be early
      this.#expiresMs = 0
      this.onReady()
    })
  }

  #begin(session: Session): void {
    this.#steps.read(session, this.#asked.path, 0)
    this.#source = this.#records.watch(this.#asked, this.#after, this.#cx.signal)
    this.#source.onReady = () => this.onReady()
  }
}
