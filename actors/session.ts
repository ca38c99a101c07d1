import { Denied, Unavailable, ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { fraction } from '../runtime/restart.ts'
import type { Evidence } from '../runtime/actor.ts'
import type { Clock, Random } from '../runtime/platform/ports.ts'
import type { Client, Infer } from '../runtime/protocol.ts'
import { parseCompact } from '../runtime/trust/jws.ts'
import { pause } from '../runtime/within.ts'
import { bootStep } from './boot-steps.ts'
import type { NodeDaemon } from './node-daemon/protocol.ts'
import type { TokenPair, VerifyHub } from './verify-hub/protocol.ts'

type Pair = Infer<typeof TokenPair>

export interface SessionOptions {
  readonly clock: Clock
  readonly random: Random
  readonly env: Readonly<Record<string, string>>
  readonly needs: { readonly verifyHub: Client<typeof VerifyHub>; readonly nodeDaemon: Client<typeof NodeDaemon> }
  readonly appid: string
  /** Beside the app's own. */
  readonly audiences: readonly string[]
  readonly stopping: AbortSignal
  background(task: () => Promise<void>): void
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
 * Exchanges the login token of the ENV at once, refreshes, and goes on refreshing at a random point of 50 to 80 % of
 * the life, so that services which started together do not come together. Settles with the first pair.
 * @throws Denied when verify-hub refuses a login token that the node daemon has just made
 */
export async function openSession(options: SessionOptions): Promise<OwnSession> {
  const { clock, appid, env, stopping } = options
  const name = loginTokenName(appid)
  const given = tokenEvidence(env[name])
  if (given) options.step('boot', bootStep.loginTokenReceived, { appid, env: name, ...given })
  let pair = await login(options, env[name])
  options.step('boot', bootStep.pairReceived, { appid, sid: pair.sid })

  const renewOnce = async (): Promise<void> => {
    pair = await refresh(options, pair)
  }
  let renewing: Promise<void> | undefined
  const renew = (): Promise<void> => {
    renewing ??= renewOnce().finally(() => { renewing = undefined })
    return renewing
  }

  options.background(async () => {
    let failures = 0
    let waitMs = 0
    while (!stopping.aborted) {
      await pause(clock, waitMs, stopping)
      if (stopping.aborted) return
      failures = await renew().then(() => 0, () => failures + 1)
      waitMs = failures === 0 ? renewalMs(options, pair) : backoffMs(options.random, failures)
    }
  })

  return {
    renew,
    token() {
      if (pair.sessionExpires * 1000 <= clock.now()) throw new Unavailable(`The session has expired: ${appid}`)
      return pair.sessionToken
    },
  }
}

/** What may be told of a token: who signed it and its number, never the token. */
function tokenEvidence(token: string | undefined): { kid: string; jti: string } | undefined {
  const parsed = token === undefined ? undefined : parseCompact(token, limits.token)
  if (!parsed || 'fault' in parsed) return undefined
  const { header, payload } = parsed.jws
  return { kid: header.kid, jti: String(payload['jti']) }
}

/** A refresh whose reply was lost is repeated with the same token; a dead session means a new login. */
async function refresh(options: SessionOptions, pair: Pair): Promise<Pair> {
  try {
    return await options.needs.verifyHub.refreshToken({ refreshToken: pair.refreshToken })
  } catch (error) {
    if (!isRefusal(error)) throw error
    return await exchange(options, await freshToken(options))
  }
}

/** The ENV's token may be missing, expired or used by an earlier incarnation: then the node daemon makes another. */
async function login(options: SessionOptions, fromEnv: string | undefined): Promise<Pair> {
  let jwt = fromEnv
  for (let failures = 1; ; failures++) {
    const fresh = jwt === undefined
    try {
      jwt ??= await freshToken(options)
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
    await pause(options.clock, backoffMs(options.random, failures), options.stopping)
  }
}

const exchange = ({ needs, audiences }: SessionOptions, jwt: string): Promise<Pair> =>
  needs.verifyHub.loginByJwt({ jwt, audiences: [...audiences] })

const freshToken = async ({ needs }: SessionOptions): Promise<string> => (await needs.nodeDaemon.loginToken({})).jwt

/** How a watch ends in the ordinary course: with the token that it was opened by. The next one takes a newer token. */
export const hasExpired = (error: unknown): boolean =>
  error instanceof Denied && error.details['reason'] === 'token/expired'

const isRefusal = (error: unknown): boolean => error instanceof Denied

const TRANSIENT = new Set(['Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled'])
const isTransient = (error: unknown): boolean => error instanceof ZonewrightError && TRANSIENT.has(error.code)

function renewalMs({ clock, random }: SessionOptions, pair: Pair): number {
  const lifeMs = Math.max(0, pair.sessionExpires * 1000 - clock.now())
  return lifeMs * (0.5 + 0.3 * fraction(random))
}

/** Doubles from failure to failure; the random half keeps services that failed together apart. */
function backoffMs(random: Random, failures: number): number {
  const fullMs = Math.min(limits.loginRetryMsMax, limits.loginRetryMsMin * (1 << Math.min(failures - 1, 16)))
  return fullMs * (0.5 + 0.5 * fraction(random))
}
