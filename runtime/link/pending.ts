import type { Child, Scope } from '../context.ts'
import { Cancelled, type ZonewrightError } from '../errors.ts'
import type { CallSettings } from '../protocol.ts'
import type { CALL, MethodPlan, OPEN } from './rpc.ts'

export interface PendingOwner {
  /** Forgets it, fails it with `error` and tells the callee. */
  abandon(pending: Pending, error: ZonewrightError): void
  credit(pending: Pending, items: number): void
}

/** One call or stream on its way. */
export abstract class Pending implements Child {
  readonly kind: typeof CALL | typeof OPEN
  readonly plan: MethodPlan
  readonly args: unknown
  readonly deadline: number
  readonly token: string | undefined
  readonly scope: Scope | undefined
  readonly #owner: PendingOwner
  readonly #signal: AbortSignal | undefined
  id = 0
  before: Child | undefined
  after: Child | undefined

  constructor(kind: typeof CALL | typeof OPEN, owner: PendingOwner, plan: MethodPlan, args: unknown, deadline: number,
    settings: CallSettings | undefined, scope: Scope | undefined) {
    this.kind = kind
    this.#owner = owner
    this.plan = plan
    this.args = args
    this.deadline = deadline
    this.token = settings?.token ?? scope?.token
    this.scope = scope
    this.#signal = settings?.signal
  }

  abstract succeed(value: unknown): void
  abstract fail(error: ZonewrightError): void

  begin(): void {
    this.scope?.adopt(this)
    this.#signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Before it settles. */
  finish(): void {
    this.scope?.release(this)
    this.#signal?.removeEventListener('abort', this.#abort)
  }

  get aborted(): boolean {
    return this.#signal?.aborted === true || this.scope?.cancelled !== undefined
  }

  get #abort(): () => void {
    return this.#onAbort ??= () => this.cancel(new Cancelled(`The call was cancelled: ${this.plan.name}`))
  }
  #onAbort: (() => void) | undefined

  /** The caller has lost interest: the callee is told. */
  cancel(error: ZonewrightError): void {
    this.#owner.abandon(this, error)
  }

  more(items: number): void {
    this.#owner.credit(this, items)
  }
}
