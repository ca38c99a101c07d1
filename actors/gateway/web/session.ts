import { Denied, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Clock, HttpRequest, HttpResponse, Keys, Random } from '../../../runtime/platform/ports.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { parseCompact } from '../../../runtime/trust/jws.ts'
import type { Enforcer } from '../../enforcement/enforcer.ts'
import type { VerifyHub } from '../../verify-hub/protocol.ts'
import { text } from '../responses.ts'
import type { App, FindApp } from './apps.ts'
import type { Codes } from './codes.ts'
import { clearCookies, readCookie, setCookie } from './cookies.ts'
import { isNavigation, isOwnPost, mayUseSession } from './fetch-metadata.ts'
import type { Forward } from './forward.ts'
import type { HubDoor, Pair } from './hub.ts'
import { pageOf, type Place, type Scheme } from './origins.ts'
import type { Pages } from './pages.ts'
import { redirect } from './sign-in.ts'
import type { Mark } from './steps.ts'

/** The part of the sign-in that an app's origin has: the session in its cookies, and what may be done with it. */

/** Row `gateway` of the trust matrix: a session of verify-hub that lives and names the app. @throws Denied */
export type Judge = (token: string, audience: string) => Promise<{ readonly principal: { readonly sub: string } }>

/** A token of at most a minute for one service. @throws Denied */
export type ServiceTokens = (sessionToken: string, audience: string) => Promise<string>

export type WayTo = (
  app: { readonly service: string; readonly host: string; readonly port: number },
) => Promise<string | undefined>

export type AppPlace = Extract<Place, { kind: 'app' }> & { readonly scheme: Scheme }

export interface SessionOptions {
  /** Of this gateway. */
  readonly host: string
  readonly clock: Clock
  readonly keys: Keys
  readonly random: Random
  readonly findApp: FindApp
  readonly judge: Judge
  readonly serviceToken: ServiceTokens
  readonly hub: HubDoor
  readonly codes: Codes
  readonly pages: Pages
  readonly forward: Forward
  /** A Unix socket that leads to an app on another host; undefined where nothing does. */
  readonly wayTo: WayTo
  readonly mark: Mark
  /** Ends the session of a sign-in that nobody may have. */
  readonly abandon: (pair: Pair) => void
}

export interface AppSessions {
  answer(request: HttpRequest, place: AppPlace): Promise<HttpResponse>
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const PATH = /^\/[\x21-\x7e]*$/
const STATE_COOKIE = /^[A-Za-z0-9_-]{22}$/

export function createAppSessions(options: SessionOptions): AppSessions {
  const { host, clock, keys, random, findApp, judge, serviceToken, hub, codes, pages, forward, wayTo, mark, abandon } =
    options
  const stateOf = (held: string): string => toBase64url(keys.hash(new TextEncoder().encode(held)))
  const cookiesOf = (pair: Pair, scheme: Scheme): readonly string[] => {
    const seconds = clock.now() / 1_000
    return [
      setCookie('zw_session', scheme, pair.session_token, pair.session_expires - seconds),
      setCookie('zw_refresh', scheme, pair.refresh_token, pair.refresh_expires - seconds),
    ]
  }
  const forgotten = ({ scheme }: AppPlace): readonly string[] => clearCookies(scheme, 'zw_session', 'zw_refresh')
  const isHeld = ({ headers }: HttpRequest): boolean => /zw_(?:session|refresh)=/.test(headers['cookie'] ?? '')

  /** The browser brings the code, and what it was given when the sign-in began. */
  const callback = async (request: HttpRequest, place: AppPlace): Promise<HttpResponse> => {
    if (request.method !== 'GET') return text(405, 'Only GET is answered here\n', { allow: 'GET' })
    const code = new URLSearchParams(request.query).get('nonce') ?? ''
    const signedIn = codes.take(code)
    const again = { href: '/', text: 'Sign in again' }
    const unfinished = (why: string): HttpResponse => pages.note(400, 'This sign-in is not finished', why, again)
    if (!signedIn) return unfinished('Its address was used before, or is more than a minute old.')
    const { target, state, pair } = signedIn
    const held = readCookie(request, 'zw_sign_in', place.scheme)
    // Brought by a browser that did not begin it, it would sign somebody in as somebody else
    if (target.origin !== place.origin || held === undefined || stateOf(held) !== state) {
      abandon(pair)
      return unfinished('It was begun in another browser, or cookies are turned off.')
    }
    mark('codeReceived', place.app, {})
    return redirect(302, place.origin + target.path, [
      ...cookiesOf(pair, place.scheme), ...clearCookies(place.scheme, 'zw_sign_in'),
    ])
  }

  const ownPost = (request: HttpRequest, place: AppPlace): HttpResponse | undefined => {
    if (request.method !== 'POST') return text(405, 'Only POST is answered here\n', { allow: 'POST' })
    return isOwnPost(request, place.origin) ? undefined : text(403, 'Only pages of this app may ask for this\n')
  }

  const refreshed = async (request: HttpRequest, place: AppPlace): Promise<HttpResponse> => {
    const refused = ownPost(request, place)
    if (refused) return refused
    const held = readCookie(request, 'zw_refresh', place.scheme)
    const signedOut = (): HttpResponse => ({ ...json(401, { ok: false }), cookies: forgotten(place) })
    if (held === undefined) return signedOut()
    mark('refreshAsked', place.app, {})
    try {
      const pair = await hub.refresh(held)
      return { ...json(200, { ok: true, expires: pair.session_expires }), cookies: cookiesOf(pair, place.scheme) }
    } catch (error) {
      if (error instanceof Denied) return signedOut()
      throw error
    }
  }

  const signedOut = async (request: HttpRequest, place: AppPlace): Promise<HttpResponse> => {
    const refused = ownPost(request, place)
    if (refused) return refused
    const held = readCookie(request, 'zw_refresh', place.scheme)
    if (held !== undefined) {
      mark('logoutAsked', place.app, {})
      await hub.logout(held).catch((error: unknown) => {
        // Then there is no session to end
        if (!(error instanceof Denied)) throw error
      })
    }
    const page = request.headers['sec-fetch-mode'] === 'navigate'
    const answer = page
      ? pages.note(200, 'You are signed out', `Your session in ${place.app} has ended.`, { href: '/', text: 'Sign in' })
      : json(200, { ok: true })
    return { ...answer, cookies: forgotten(place) }
  }

  /** @throws what is not about the token: then nobody knows whether it is good */
  const subjectOf = async (token: string | undefined, app: string): Promise<string | undefined> => {
    if (token === undefined || !isKeyless(token)) return undefined
    try {
      return (await judge(token, app)).principal.sub
    } catch (error) {
      if (error instanceof Denied) return undefined
      throw error
    }
  }

  const withoutSession = async (request: HttpRequest, place: AppPlace): Promise<HttpResponse> => {
    const { scheme, app, origin, signIn } = place
    if (!isNavigation(request)) {
      return text(401, 'There is no session: sign in, or ask /sso_refresh for another\n', CHALLENGE)
    }
    const page = pageOf(request.path + (request.query === '' ? '' : `?${request.query}`))
    const refresh = readCookie(request, 'zw_refresh', scheme)
    if (refresh !== undefined) {
      const pair = await hub.refresh(refresh).catch((error: unknown) => {
        if (error instanceof Denied) return undefined
        throw error
      })
      // Whatever is wrong with a session, it must not send a browser round in circles
      if (pair && await subjectOf(pair.session_token, app) !== undefined) {
        return redirect(302, origin + page, cookiesOf(pair, scheme))
      }
    }
    mark('pageAsked', app, {})
    const before = readCookie(request, 'zw_sign_in', scheme)
    const held = before !== undefined && STATE_COOKIE.test(before) ? before : toBase64url(random.bytes(16))
    const query = new URLSearchParams({ redirect_url: origin + page, state: stateOf(held) })
    return redirect(302, `${signIn}/login?${query}`, [
      setCookie('zw_sign_in', scheme, held, limits.signInMs / 1_000), ...(isHeld(request) ? forgotten(place) : []),
    ])
  }

  const handOn = async (request: HttpRequest, place: AppPlace, app: App, token?: string): Promise<HttpResponse> => {
    const later = { 'retry-after': '5' }
    if (app.host === undefined) return text(503, `${place.app} runs on no host now\n`, later)
    const onward = { place, port: app.port, ...(token === undefined ? {} : { token }) }
    if (app.host === host) return await forward(request, onward)
    const socket = await wayTo({ service: place.app, host: app.host, port: app.port })
    if (socket !== undefined) return await forward(request, { ...onward, socket })
    return text(503, `${place.app} runs on another host, which is not reached from here\n`, later)
  }

  const ofApp = async (request: HttpRequest, place: AppPlace): Promise<HttpResponse> => {
    const app = await findApp(place.app)
    if (!app) return text(404, 'There is no such app\n')
    if (app.public) return handOn(request, place, app)
    if (!mayUseSession(request, place.origin)) return text(403, 'Another page may not ask this in your name\n')
    const token = readCookie(request, 'zw_session', place.scheme)
    const sub = await subjectOf(token, place.app)
    if (token === undefined || sub === undefined) return withoutSession(request, place)
    mark('sessionReceived', place.app, { sub })
    const given = await serviceToken(token, place.app).catch((error: unknown) => {
      if (error instanceof Denied) return undefined
      throw error
    })
    // It has ended since, or verify-hub knows of no such session
    if (given === undefined) return withoutSession(request, place)
    mark('serviceTokenReceived', place.app, { sub })
    return handOn(request, place, app, given)
  }

  const own: Readonly<Record<string, (request: HttpRequest, place: AppPlace) => Promise<HttpResponse>>> = {
    '/sso_callback': callback, '/sso_refresh': refreshed, '/sso_logout': signedOut,
  }
  return {
    async answer(request, place) {
      const { method, path, query, headers } = request
      if (!PATH.test(`${path}?${query}`)) return text(400, 'The address is no path\n')
      if (!METHODS.has(method)) return text(405, 'This method is not handed on\n', { allow: [...METHODS].join(', ') })
      if (headers['upgrade'] !== undefined) return text(501, 'A connection that is upgraded is not handed on\n')
      if (Object.hasOwn(own, path)) return own[path]!(request, place)
      return path.startsWith('/sso_') ? text(404, 'There is nothing at this path\n') : ofApp(request, place)
    },
  }
}

const CHALLENGE = { 'www-authenticate': 'Cookie realm="zone"' }

/** By HTTP nobody shows a key, and that of the gateway's link must not count as theirs. */
function isKeyless(token: string): boolean {
  const parsed = parseCompact(token, limits.token)
  return 'jws' in parsed && parsed.jws.payload['cnf'] === undefined
}

const json = (status: number, body: object): HttpResponse => ({
  status, headers: { ...text(status, '').headers, 'content-type': 'application/json' }, body: JSON.stringify(body),
})

/** Who has lost touch with the zone says so: it is no fault of the session, which must not be taken away. */
export const judgeOf = (enforcer: Pick<Enforcer, 'judge'>): Judge => async (sessionToken, audience) => {
  try {
    return await enforcer.judge(sessionToken, audience)
  } catch (error) {
    if (!(error instanceof Denied) || error.details['reason'] !== 'policy/lapsed') throw error
    throw new Unavailable('The gateway has lost touch with the policy of the zone')
  }
}

/** Keeps each for half of its life: the session is judged at every request, whatever is kept here. */
export function serviceTokens(verifyHub: Client<typeof VerifyHub>, clock: Clock): ServiceTokens {
  const kept = new Map<string, { readonly token: string; readonly untilMs: number }>()
  return async (sessionToken, audience) => {
    const name = `${audience} ${sessionToken}`
    const known = kept.get(name)
    const nowMs = clock.now()
    if (known && nowMs < known.untilMs) return known.token
    const { token, expires } = await verifyHub.serviceToken(
      { sessionToken, audience }, { withinMs: limits.gatewayCallMs })
    const lifeMs = expires * 1_000 - nowMs
    if (lifeMs <= 0) throw new Unavailable('The token that verify-hub gave has expired already')
    kept.delete(name)
    if (kept.size >= limits.boundTokens) kept.delete(kept.keys().next().value!)
    kept.set(name, { token, untilMs: nowMs + lifeMs / 2 })
    return token
  }
}
