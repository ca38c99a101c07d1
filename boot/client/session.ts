import { looseObject, safeParse, string } from 'valibot'
import { Denied, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { NotAZone, NotLoggedIn } from '../errors.ts'
import type { Saved, SessionFile } from './session-file.ts'

/** The app that the command line is: `services/console/spec`. */
export const APPID = 'console'
/** Whom its sessions are good for, beside itself. */
export const AUDIENCES = [
  'system-config', 'node-daemon', 'scheduler', 'verify-hub', 'cert-manager', 'node-monitor', 'enrolment',
]
/** A token with less life than this is not sent any more. */
const RENEW_SECONDS = 60

const Pair = looseObject({ session_token: string(), refresh_token: string() })

type CallHub = (method: string, params: object) => Promise<unknown>

export interface Session {
  /** A session token with some life left. @throws NotLoggedIn */
  token(): Promise<string>
  /** After a refusal of the one that was sent. @throws NotLoggedIn */
  renewed(refused: string): Promise<string>
  login(user: string, password: string): Promise<void>
  /** False when nobody was logged in. */
  logout(): Promise<string | undefined>
  user(): Promise<string | undefined>
}

export interface SessionOptions {
  readonly file: SessionFile
  readonly clock: Clock
  readonly scope: string
  /** How the zone is called in a message. */
  readonly zone: string
  /** Whose login is asked for; undefined: who logged in last. */
  readonly asked: string | undefined
  readonly loginHint: (user: string | undefined) => string
  readonly hub: CallHub
}

export function openSession({ file, clock, scope, zone, asked, loginHint, hub }: SessionOptions): Session {
  const notLoggedIn = (message: string, user: string | undefined, details: object = {}): Error =>
    new NotLoggedIn(message, { ...details, next: loginHint(user) })
  /** Why the one that was saved is gone: of what one command asks at once, all fail by that. */
  let ended: Error | undefined
  const ofThisZone = (saved: Saved | undefined): Saved => {
    if (saved?.scope === scope) return saved
    if (!saved && ended) throw ended
    throw notLoggedIn(saved ? `The session is of another zone than ${zone}` : nobody(asked, zone), asked)
  }
  const isFresh = ({ sessionToken }: Saved): boolean => expiry(sessionToken) - clock.now() / 1000 > RENEW_SECONDS

  const pairOf = (user: string, answer: unknown): Saved => {
    const parsed = safeParse(Pair, answer)
    if (!parsed.success) throw new NotAZone('The answer to a login has no tokens')
    const { session_token: sessionToken, refresh_token: refreshToken } = parsed.output
    return { scope, user, sessionToken, refreshToken }
  }
  /** Another command may have refreshed it while this one waited for its turn. */
  const refresh = async (isGood: (saved: Saved) => boolean): Promise<string> => {
    let token = ''
    await file.change(async (found) => {
      const saved = ofThisZone(found)
      const next = isGood(saved) ? saved : await refreshNow(saved).catch((error: unknown) => {
        if (!(error instanceof Denied)) throw error
        const { reason, denial } = error.details
        ended = notLoggedIn(`The session of ${saved.user} has ended: ${error.message}`, saved.user, { reason, denial })
        return undefined
      })
      token = next?.sessionToken ?? ''
      return next
    })
    if (token === '' && ended) throw ended
    return token
  }
  const refreshNow = async (saved: Saved): Promise<Saved> => {
    try {
      return pairOf(saved.user, await hub('refresh_token', { refresh_token: saved.refreshToken }))
    } catch (error) {
      // Better a token that is about to end than none
      if (error instanceof Unavailable && expiry(saved.sessionToken) > clock.now() / 1000) return saved
      throw error
    }
  }

  return {
    async token() {
      const saved = ofThisZone(await file.read())
      return isFresh(saved) ? saved.sessionToken : await refresh(isFresh)
    },
    renewed: (refused) => refresh((saved) => saved.sessionToken !== refused && isFresh(saved)),
    async login(user, password) {
      const given = pairOf(user, await logIn({ type: 'password', username: user, password, appid: APPID }))
      let before: Saved | undefined
      await file.change(async (saved) => {
        before = saved
        return given
      })
      // One login of a person at a time; the one that was replaced would live on for a week
      if (before?.scope === scope && before.user === user) await logoutOf(before).catch(() => {})
    },
    async logout() {
      let user: string | undefined
      await file.change(async (saved) => {
        if (saved?.scope === scope) {
          user = saved.user
          await logoutOf(saved)
        }
        return undefined
      })
      return user
    },
    async user() {
      const saved = await file.read()
      return saved?.scope === scope ? saved.user : undefined
    },
  }

  /** The spec of an older zone may allow fewer: without any named, a session is for those that it does allow. */
  async function logIn(params: object): Promise<unknown> {
    try {
      return await hub('login_by_password', { ...params, audiences: AUDIENCES })
    } catch (error) {
      if (!(error instanceof Denied) || error.details['reason'] !== 'login/audience') throw error
      return await hub('login_by_password', params)
    }
  }

  /** A session that is dead already is logged out. */
  async function logoutOf({ refreshToken }: Saved): Promise<void> {
    await hub('logout', { refresh_token: refreshToken }).catch((error: unknown) => {
      if (!(error instanceof Denied)) throw error
    })
  }
}

export const nobody = (asked: string | undefined, zone: string): string =>
  `${asked ?? 'Nobody'} is ${asked === undefined ? '' : 'not '}logged in to ${zone}`

/** Read, not believed: the zone judges the token. */
function expiry(token: string): number {
  const parsed = parseCompact(token, limits.token)
  const exp = 'jws' in parsed ? parsed.jws.payload['exp'] : undefined
  return typeof exp === 'number' ? exp : 0
}

/** Refusals that a newer token of the same session may not meet. */
const STALE = new Set(['token/expired', 'token/revoked', 'token/epoch', 'token/unknown-key', 'token/key-reason'])

export const isStale = (error: unknown): boolean =>
  error instanceof ZonewrightError && error.code === 'Denied' && STALE.has(String(error.details['reason']))
