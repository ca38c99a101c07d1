import { Overloaded, Unavailable, WatchOverrun } from '../../runtime/errors.ts'
import { Feed, PENDING, type Polled } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel, Clock, Random } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { pause } from '../../runtime/within.ts'
import type { Enforcement, Revoked } from './protocol.ts'

/** What enforcers go by. */
export interface Enforced {
  readonly boot: string
  readonly rbac: { readonly model: string; readonly policy: string }
}

/** Who enforces, what each goes by, and until when it may (DESIGN §7, revocation). */
export interface Enforcers {
  /** What has changed, to all; the same again is no change. */
  publish(change: Partial<Enforced>): void
  publishRevoked(sessions: readonly Revoked[]): void
  /**
   * A lease for the enforcer with this link key. What it enforced under the lease that this one replaces it forgets
   * when it renews this one. @throws Overloaded, Unavailable
   */
  open(linkKid: string, replaces: string): Feed<Enforcement>
  renew(lease: string, sequence: number, linkKid: string): boolean
  release(lease: string, linkKid: string): void
  /** Settles when every enforcer goes by all that was published until now, or may go by nothing any more. */
  settled(): Promise<void>
}

export interface EnforcersOptions {
  readonly clock: Clock
  readonly random: Random
  /** Those that an enforcer has to know that begins now. */
  readonly revoked: () => readonly Revoked[]
  /** Whether time may be granted: what is known of the store is new enough. */
  readonly mayGrant: () => boolean
  /** Since when what is published now may have been so, by the monotonic clock. */
  readonly changedAtMs: () => number
  /** An incarnation before this one may have given leases, which nobody here knows of. */
  readonly leasesBefore: boolean
}

/** Our clock may be so much faster than theirs. */
const CLOCK_RATE = 1.05
const LEASE_MS = limits.enforcerLeaseMs * CLOCK_RATE

interface Published { readonly sequence: number; readonly atMs: number }

export function createEnforcers(options: EnforcersOptions): Enforcers {
  const { clock, random, revoked, mayGrant, changedAtMs, leasesBefore } = options
  const leases = new Map<string, Lease>()
  /** By the monotonic clock: then the last lease of before is over. */
  const aloneMs = leasesBefore ? clock.monotonic() + LEASE_MS : 0
  let enforced: Enforced = { boot: '', rbac: { model: '', policy: '' } }
  let sequence = 0
  /** Of the last `limits.enforcerLagMs`, and the last one before them. */
  let recent: Published[] = []
  let settledFor = 0

  const publish = (change: Partial<Enforced>, sessions: readonly Revoked[]): void => {
    sequence++
    recent.push({ sequence, atMs: changedAtMs() })
    const { boot = null, rbac = null } = change
    for (const lease of leases.values()) {
      lease.push({ lease: lease.id, sequence, whole: false, boot, rbac, revoked: [...sessions] })
    }
  }
  /** What an enforcer has to know that is granted more time. */
  const required = (): number => {
    const since = clock.monotonic() - limits.enforcerLagMs
    const last = recent.findLastIndex(({ atMs }) => atMs <= since)
    settledFor = recent[last]?.sequence ?? settledFor
    recent = recent.slice(last + 1)
    return settledFor
  }

  const release = (id: string, linkKid: string): void => {
    const lease = leases.get(id)
    if (lease?.linkKid === linkKid) lease.end()
  }

  return {
    publish(change) {
      const next = { ...enforced, ...change }
      const same = next.boot === enforced.boot && next.rbac.model === enforced.rbac.model
        && next.rbac.policy === enforced.rbac.policy
      enforced = next
      if (!same) publish(change, [])
    },
    publishRevoked: (sessions) => publish({}, sessions),
    open(linkKid, replaces) {
      if (leases.size >= limits.enforcerLeases) throw new Overloaded('Too many enforcers hold a lease')
      if (!mayGrant()) throw new Unavailable('The store was not heard of for too long to grant a lease')
      const id = toBase64url(random.bytes(12))
      const lease = new Lease({ id, linkKid, replaces }, clock, () => leases.delete(id))
      leases.set(id, lease)
      lease.push({ lease: id, sequence, whole: true, ...enforced, revoked: [...revoked()] })
      return lease
    },
    renew(id, known, linkKid) {
      const lease = leases.get(id)
      if (!lease || lease.linkKid !== linkKid || known > sequence) return false
      lease.reached(known)
      release(lease.replaces, linkKid)
      if (known < required()) return false
      if (!mayGrant()) return false
      lease.extend()
      return true
    },
    release,
    async settled() {
      const published = sequence
      // A timer may be early
      while (clock.monotonic() < aloneMs) await pause(clock, Math.ceil(aloneMs - clock.monotonic()))
      await Promise.all([...leases.values()].map((lease) => lease.until(published)))
    },
  }
}

interface Waiter { readonly sequence: number; readonly resolve: () => void }

/** One enforcer: what it is still to be told, and until when it may go by what it knows. */
class Lease extends Feed<Enforcement> {
  readonly id: string
  readonly linkKid: string
  readonly replaces: string
  readonly #clock: Clock
  readonly #onEnd: () => void
  #pending: Enforcement[] = []
  #waiters: Waiter[] = []
  #known = -1
  #endsMs = 0
  #ended = false
  #failure: Error | undefined
  #cancelTimer: Cancel = () => {}

  constructor(
    { id, linkKid, replaces }: Pick<Lease, 'id' | 'linkKid' | 'replaces'>, clock: Clock, onEnd: () => void,
  ) {
    super()
    this.id = id
    this.linkKid = linkKid
    this.replaces = replaces
    this.#clock = clock
    this.#onEnd = onEnd
    this.extend()
  }

  poll(): Polled<Enforcement> {
    const next = this.#pending.shift()
    if (next) return next
    if (this.#failure) throw this.#failure
    return PENDING
  }

  /** Nobody reads on: what is enforced by what was read goes on until the lease is over. */
  close(): void {
    this.#pending = []
    this.#failure ??= new Unavailable('The stream of this lease was closed')
  }

  push(item: Enforcement): void {
    if (this.#failure) return
    if (this.#pending.length >= limits.enforcerBacklog) {
      this.#fail(new WatchOverrun('The enforcer does not read what has changed'))
    } else this.#pending.push(item)
    this.onReady()
  }

  extend(): void {
    this.#endsMs = this.#clock.monotonic() + LEASE_MS
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(LEASE_MS, () => this.#lapse())
  }

  reached(sequence: number): void {
    if (sequence <= this.#known) return
    this.#known = sequence
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.sequence > sequence) return true
      waiter.resolve()
      return false
    })
  }

  until(sequence: number): Promise<void> | undefined {
    if (this.#ended || this.#known >= sequence) return undefined
    return new Promise((resolve) => this.#waiters.push({ sequence, resolve }))
  }

  /** What it stood for is enforced by another lease, or by nobody. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelTimer()
    this.#onEnd()
    this.reached(Infinity)
    this.#fail(new Unavailable('The lease is over'))
    this.onReady()
  }

  #lapse(): void {
    const leftMs = this.#endsMs - this.#clock.monotonic()
    // A timer may be early
    if (leftMs > 0) this.#cancelTimer = this.#clock.after(leftMs, () => this.#lapse())
    else this.end()
  }

  #fail(error: Error): void {
    this.#pending = []
    this.#failure ??= error
  }
}
