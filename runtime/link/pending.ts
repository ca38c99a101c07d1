import { safeParse } from 'valibot'
import type { Child, Scope } from '../context.ts'
import { Cancelled, DeadlineExceeded, InvalidResult, type ZonewrightError } from '../errors.ts'
import type { CallSettings } from '../protocol.ts'
import { CALL, malformed, type MethodPlan, type OPEN } from './rpc.ts'

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

export class PendingCall extends Pending {
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: ZonewrightError) => void

  constructor(
    owner: PendingOwner, plan: MethodPlan, args: unknown, deadline: number, settings: CallSettings | undefined,
    scope: Scope | undefined, resolve: (value: unknown) => void, reject: (error: ZonewrightError) => void,
  ) {
    super(CALL, owner, plan, args, deadline, settings, scope)
    this.#resolve = resolve
    this.#reject = reject
  }

  succeed(value: unknown): void {
    if (this.plan.entry.kind !== 'call') throw malformed()
    const result = safeParse(this.plan.entry.result, value)
    if (result.success) this.#resolve(result.output)
    else this.#reject(wrongShape('result', this.plan, result.issues))
  }

  fail(error: ZonewrightError): void {
    this.#reject(error)
  }
}

interface Issue { readonly message: string }

/** The callee answered with something that its protocol does not allow. */
export const wrongShape = (what: string, plan: MethodPlan, issues: readonly Issue[]): ZonewrightError =>
  new InvalidResult(`The ${what} of ${plan.name} has the wrong shape: ${issues[0]?.message ?? ''}`)

export const late = ({ plan }: Pending): ZonewrightError =>
  new DeadlineExceeded(`The deadline of the call passed: ${plan.name}`)
