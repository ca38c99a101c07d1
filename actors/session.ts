import { Denied, Unavailable, ZonewrightError } from '../runtime/errors.ts'
import { strikes } from '../runtime/fault-points.ts'
import { limits } from '../runtime/limits.ts'
import { backoffMs, fraction } from '../runtime/restart.ts'
import type { Evidence } from '../runtime/actor.ts'
import type { Clock, Random } from '../runtime/platform/ports.ts'
import type { Client, Infer } from '../runtime/protocol.ts'
import { parseCompact } from '../runtime/trust/jws.ts'
import { pause } from '../runtime/within.ts'
import { bootStep } from './boot-steps.ts'
import type { NodeDaemon } from './node-daemon/protocol.ts'
import type { TokenPair, VerifyHub } from './verify-hub/protocol.ts'

type Pair = Infer<typeof TokenPair>

const RETRY = { min: limits.loginRetryMsMin, max: limits.loginRetryMsMax }

interface Login {
  readonly clock: Clock
  readonly random: Random
  readonly appid: string
  /** Beside the app's own. */
  readonly audiences: readonly string[]
  readonly stopping: AbortSignal
  background(task: () => Promise<void>): void
}

export interface LoginOptions extends Login {
  readonly verifyHub: Client<typeof VerifyHub>
  /** Used before a fresh one is asked for. */
  readonly given?: string
  /** Another login token, when there is none, or it is spent. */
  fresh(): Promise<string>
  /** Told of the first pair. */
  received(sid: string): void
}

export interface SessionOptions extends Login {
  readonly env: Readonly<Record<string, string>>
  readonly needs: { readonly verifyHub: Client<typeof VerifyHub>; readonly nodeDaemon: Client<typeof NodeDaemon> }
  step(sequence: string, number: number, evidence: Evidence): void
}

/** A service's own login, kept alive. */
export interface OwnSession {
  /** The session token of now, for `CallSettings.token`. @throws Unavailable while there is none that lives */
  token(): string
  /** Gets a new pair now; callers at the same time share one attempt. @throws what the last attempt met */
  renew(): Promise<void>
}

/** `SCHEDULER_SESSION_TOKEN`: where a node daemon puts a service's login token. */
export const loginTokenName = (appid: string): string => `${appid.toUpperCase().replaceAll('-', '_')}_SESSION_TOKEN`

/**
 * A service's session: by the login token of its ENV, later by those that its node daemon makes.
 * @throws Denied when verify-hub refuses a login token that the node daemon has just made
 */
export async function openSession({ env, needs, step, ...login }: SessionOptions): Promise<OwnSession> {
  const { appid } = login
  const name = loginTokenName(appid)
  const given = env[name]
  const evidence = tokenEvidence(given)
  if (evidence) step('boot', bootStep.loginTokenReceived, { appid, env: name, ...evidence })
  return keepSession({
    ...login, verifyHub: needs.verifyHub, ...(given === undefined ? {} : { given }),
    fresh: async () => (await needs.nodeDaemon.loginToken({})).jwt,
    received: (sid) => step('boot', bootStep.pairReceived, { appid, sid }),
  })
}

/**
 * Exchanges a login token at once, refreshes, and goes on refreshing at a random point of 50 to 80 % of the life, so
 * that those who started together do not come together. Settles with the first pair.
 * @throws Denied when verify-hub refuses a login token that was just made
 */
export async function keepSession(options: LoginOptions): Promise<OwnSession> {
  const { clock, appid, stopping } = options
  let pair = await login(options, options.given)
  options.received(pair.sid)
  /** What the wall clock shows beside the monotonic one; it was so when the pair came. */
  const offsetMs = (): number => clock.now() - clock.monotonic()
  let offsetOfPair = offsetMs()
  const hasJumped = (): boolean => Math.abs(offsetMs() - offsetOfPair) > CLOCK_JUMP_MS

  const renewOnce = async (): Promise<void> => {
    pair = await refresh(options, pair)
    offsetOfPair = offsetMs()
  }
  let renewing: Promise<void> | undefined
  const renew = (): Promise<void> => {
    renewing ??= renewOnce().finally(() => { renewing = undefined })
    return renewing
  }

  let failures = 0
  let waiting = new AbortController()
  stopping.addEventListener('abort', () => waiting.abort(), { once: true })
  options.background(async () => {
    let waitMs = 0
    while (!stopping.aborted) {
      waiting = new AbortController()
      await pause(clock, waitMs, waiting.signal)
      if (stopping.aborted) return
      failures = await renew().then(() => 0, () => failures + 1)
      waitMs = failures === 0 ? renewalMs(options, pair) : backoffMs(options.random, failures - 1, RETRY)
    }
  })

  return {
    renew,
    token() {
      const expired = pair.sessionExpires * 1000 <= clock.now()
      // The refresh that is due by the monotonic clock may be far away; one that has just failed is tried again anyway
      if (failures === 0 && (expired || hasJumped())) waiting.abort()
      if (expired) throw new Unavailable(`The session has expired: ${appid}`)
      return pair.sessionToken
    },
  }
}

/** Tokens are judged by the wall clock: by one that was set so far forward or back, they are too old or too new. */
const CLOCK_JUMP_MS = 60_000

/** What may be told of a token: who signed it and its number, never the token. */
function tokenEvidence(token: string | undefined): { kid: string; jti: string } | undefined {
  const parsed = token === undefined ? undefined : parseCompact(token, limits.token)
  if (!parsed || 'fault' in parsed) return undefined
  const { header, payload } = parsed.jws
  return { kid: header.kid, jti: String(payload['jti']) }
}

/** A refresh whose reply was lost is repeated with the same token; a dead session means a new login. */
async function refresh(options: LoginOptions, pair: Pair): Promise<Pair> {
  try {
    const next = await options.verifyHub.refreshToken({ refreshToken: pair.refreshToken })
    if (strikes('session/refresh-lost')) throw new Unavailable('The answer was lost')
    return next
  } catch (error) {
    if (!isRefusal(error)) throw error
    return await exchange(options, await options.fresh())
  }
}

/** The ENV's token may be missing, expired or used by an earlier incarnation: then the node daemon makes another. */
async function login(options: LoginOptions, given: string | undefined): Promise<Pair> {
  let jwt = given
  for (let failures = 1; ; failures++) {
    const fresh = jwt === undefined
    try {
      jwt ??= await options.fresh()
      return await exchange(options, jwt)
    } catch (error) {
      if (options.stopping.aborted) throw error
      if (isRefusal(error)) {
        if (fresh) throw error
        jwt = undefined
        continue
      }
      if (!isTransient(error)) throw error
    }
    // The same token again: if the reply was lost, this gives the pair that was already made
    await pause(options.clock, backoffMs(options.random, failures - 1, RETRY), options.stopping)
  }
}

async function exchange({ verifyHub, audiences }: LoginOptions, jwt: string): Promise<Pair> {
  const pair = await verifyHub.loginByJwt({ jwt, audiences: [...audiences] })
  if (strikes('session/login-lost')) throw new Unavailable('The answer was lost')
  return pair
}

/** How a watch ends in the ordinary course: with the token that it was opened by. The next one takes a newer token. */
export const hasExpired = (error: unknown): boolean =>
  error instanceof Denied && error.details['reason'] === 'token/expired'

const isRefusal = (error: unknown): boolean => error instanceof Denied

const TRANSIENT = new Set(['Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled', 'DiskFull'])
const isTransient = (error: unknown): boolean => error instanceof ZonewrightError && TRANSIENT.has(error.code)

function renewalMs({ clock, random }: LoginOptions, pair: Pair): number {
  if (strikes('session/refresh-now')) return 0
  const lifeMs = Math.max(0, pair.sessionExpires * 1000 - clock.now())
  return lifeMs * (0.5 + 0.3 * fraction(random))
}
