import type { ActorStart } from '../../runtime/actor.ts'
import { Denied, messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { deferred, pause } from '../../runtime/within.ts'
import { createAccess, type Access } from '../rbac/access.ts'
import { kv, readRecord } from '../records.ts'
import { hasExpired, type OwnSession } from '../session.ts'
import { BootConfig, type Enforcement, type SystemConfig } from '../system-config/protocol.ts'
import { zoneKeys } from '../zone-keys.ts'

export interface LeaseOptions {
  readonly start: Pick<ActorStart, 'keys' | 'clock' | 'background' | 'stopping' | 'log'>
  readonly systemConfig: Client<typeof SystemConfig>
  readonly session: Pick<OwnSession, 'token' | 'renew'>
  /** These sessions have ended. */
  readonly onRevoked: (isRevoked: (sid: string) => boolean) => void
  /** Other keys are trusted than before. */
  readonly onTrust: () => void
  /** The lease is over. */
  readonly onLapse: () => void
}

/** What an enforcer goes by, as long as it has a lease on it (DESIGN §7, revocation). */
export interface Lease {
  /** Milliseconds for which it may still be gone by; 0 when it is over. */
  leftMs(): number
  readonly trusted: readonly TrustKey[]
  readonly epoch: number
  /** Grows with every change of the two. */
  readonly generation: number
  readonly access: Pick<Access, 'decide' | 'generation'>
  isRevoked(sid: string): boolean
}

/**
 * Follows system-config and renews the lease, for as long as the actor runs. The lease counts from when it was asked
 * for: system-config, which counts from when it was asked, never takes it to be over before it is.
 * @throws what the first attempt met; then nothing follows any more
 */
export async function holdLease(options: LeaseOptions): Promise<Lease> {
  const { start: { keys, clock, background, stopping, log }, systemConfig, session } = options
  const access = createAccess()
  let revoked = new Map<string, number>()
  let trusted: readonly TrustKey[] = []
  let epoch = 0
  let generation = 0
  let endsMs = 0
  /** The newest. */
  let held = ''
  let cancelLapse: Cancel = () => {}

  const leftMs = (): number => Math.max(0, endsMs - clock.monotonic())
  const watchEnd = (): void => {
    cancelLapse = clock.after(Math.max(1, leftMs()), () => (leftMs() > 0 ? watchEnd() : options.onLapse()))
  }
  const hold = (askedMs: number): void => {
    endsMs = askedMs + limits.enforcerLeaseMs
    cancelLapse()
    watchEnd()
  }
  const trust = (keysNow: readonly TrustKey[], epochNow: number): void => {
    trusted = keysNow
    epoch = epochNow
    generation++
    options.onTrust()
  }
  const goBy = async ({ whole, boot, rbac, revoked: sessions }: Enforcement): Promise<void> => {
    if (boot !== null && boot !== '') {
      const config = readRecord(BootConfig, kv.bootConfig, boot)
      trust(zoneKeys(keys, config), config.epoch)
    }
    if (whole) revoked = new Map()
    for (const { sid, until } of sessions) revoked.set(sid, until)
    if (sessions.length > 0) options.onRevoked((sid) => revoked.has(sid))
    forgetOld()
    // Last: the engine of a model that a zone brings may have to be loaded first
    if (rbac) await access.replace(rbac)
  }
  /** What is long over: as system-config forgets it. */
  const forgetOld = (): void => {
    const before = Math.floor(clock.now() / 1000) - limits.revokedSeconds
    for (const [sid, until] of revoked) {
      if (until >= before) return
      revoked.delete(sid)
    }
  }

  /** Nobody needs to wait for us: we accept nothing any more. */
  const release = async (): Promise<void> => {
    endsMs = 0
    if (held !== '') await systemConfig.releaseLease({ lease: held }).catch(() => {})
    held = ''
  }
  /** One stream, until it ends. */
  const follow = async (onFirst: () => void): Promise<void> => {
    const life = new AbortController()
    let news = new AbortController()
    const stop = (): void => {
      life.abort()
      news.abort()
    }
    stopping.addEventListener('abort', stop, { once: true })
    const askedMs = clock.monotonic()
    let known: { lease: string; sequence: number } | undefined
    let failure: unknown
    const renewing = async (): Promise<void> => {
      let told = -1
      while (!life.signal.aborted) {
        if (told === known!.sequence) await pause(clock, limits.enforcerRenewMs, news.signal)
        if (life.signal.aborted) return
        news = new AbortController()
        const renewedMs = clock.monotonic()
        const asked = { ...known! }
        const settings = { token: session.token(), signal: life.signal, withinMs: limits.enforcerLeaseMs }
        const { granted } = await systemConfig.renewLease(asked, settings)
        told = asked.sequence
        if (granted) hold(renewedMs)
        // The lease is not known any more, or what has changed does not reach us
        else if (told === known!.sequence) return
      }
    }
    let renewals: Promise<void> | undefined
    try {
      const settings = { token: session.token(), signal: life.signal }
      for await (const item of systemConfig.enforcement({ replaces: held }, settings)) {
        await goBy(item)
        known = { lease: item.lease, sequence: item.sequence }
        held = item.lease
        news.abort()
        if (renewals) continue
        hold(askedMs)
        onFirst()
        renewals = renewing().catch((error: unknown) => { failure ??= error }).finally(stop)
      }
    } catch (error) {
      failure ??= error
    }
    stop()
    stopping.removeEventListener('abort', stop)
    await renewals
    if (failure !== undefined) throw failure
  }

  const first = deferred<void>()
  let begun = false
  const begin = (): void => {
    begun = true
    first.resolve()
  }
  background(async () => {
    while (!stopping.aborted) {
      try {
        await follow(begin)
      } catch (error) {
        if (stopping.aborted) return first.reject(error as Error)
        if (!hasExpired(error)) log.warn(`Following what to enforce failed: ${messageOf(error)}`)
        // Our own session is refused: whoever signed it may be trusted no more, and until we know nobody is
        if (error instanceof Denied && !hasExpired(error)) {
          trust([], epoch)
          await release()
          await session.renew().catch(() => {})
        }
        // Whoever asked for it asks anew, and would have two
        if (!begun) return first.reject(error as Error)
      }
      await pause(clock, limits.convergeRetryMs, stopping)
    }
  })
  await first.promise
  return {
    leftMs,
    get trusted() { return trusted },
    get epoch() { return epoch },
    get generation() { return generation },
    access,
    isRevoked: (sid) => revoked.has(sid),
  }
}
