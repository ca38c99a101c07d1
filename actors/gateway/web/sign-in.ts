import { Denied, ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { HttpRequest, HttpResponse, Keys, Random } from '../../../runtime/platform/ports.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { isPassing } from '../probes.ts'
import type { FindApp } from './apps.ts'
import type { Codes } from './codes.ts'
import { clearCookies, readCookie, setCookie } from './cookies.ts'
import { isOwnPost } from './fetch-metadata.ts'
import type { HubDoor } from './hub.ts'
import { targetOf, type Origins, type Scheme, type Target } from './origins.ts'
import type { Pages } from './pages.ts'
import type { Mark } from './steps.ts'

/** The part of the sign-in that the zone's own origin has: the page, and the password that comes from it. */

export interface SignInOptions {
  readonly keys: Keys
  readonly random: Random
  readonly origins: Origins
  readonly findApp: FindApp
  readonly hub: HubDoor
  readonly codes: Codes
  readonly pages: Pages
  readonly mark: Mark
}

/** The zone's own origin, as this request names it. */
export interface OwnOrigin {
  readonly origin: string
  readonly port: string
  readonly scheme: Scheme
}

export interface SignIn {
  /** GET /login?redirect_url=…&state=… */
  page(request: HttpRequest, own: OwnOrigin): Promise<HttpResponse>
  /** POST /sso/login, as the page sends it. */
  submit(request: HttpRequest, own: OwnOrigin): Promise<HttpResponse>
}

const STATE = /^[A-Za-z0-9_-]{43}$/
const FORM = /^[A-Za-z0-9_-]{22}$/
const FORM_TYPE = /^application\/x-www-form-urlencoded *(?:;|$)/i
const FIELDS = ['redirect_url', 'state', 'form', 'username', 'password'] as const
type Fields = Readonly<Record<(typeof FIELDS)[number], string>>

export const redirect = (status: 302 | 303, location: string, cookies: readonly string[] = []): HttpResponse => ({
  status, headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }, cookies, body: '',
})

export function createSignIn(options: SignInOptions): SignIn {
  const { keys, random, origins, findApp, hub, codes, pages, mark } = options
  const utf8 = new TextEncoder()

  const nowhere = (): HttpResponse =>
    pages.note(400, 'This address is incomplete', 'Open the app that you want to use: it leads here by itself.')

  /** Undefined also for apps that are not installed. */
  const installed = async (address: string | null, { scheme, port }: OwnOrigin): Promise<Target | undefined> => {
    const target = targetOf(origins, address, scheme, port)
    return target && await findApp(target.app) ? target : undefined
  }

  const show = (
    status: number, request: HttpRequest, own: OwnOrigin, shown: { target: Target; state: string; username: string },
    message?: string,
  ): HttpResponse => {
    const held = readCookie(request, 'zw_form', own.scheme)
    // Kept, so that a page in another tab stays good
    const form = held !== undefined && FORM.test(held) ? held : toBase64url(random.bytes(16))
    const page = pages.signIn(status, { ...shown, form }, message)
    return { ...page, cookies: [setCookie('zw_form', own.scheme, form, limits.signInMs / 1_000)] }
  }

  return {
    async page(request, own) {
      const query = new URLSearchParams(request.query)
      const target = await installed(query.get('redirect_url'), own)
      if (!target) return nowhere()
      const state = query.get('state') ?? ''
      // A sign-in begins at the app, where the browser is given what it has to bring back
      if (!STATE.test(state)) return redirect(302, target.origin + target.path)
      mark('signInAsked', target.app, {})
      return show(200, request, own, { target, state, username: '' })
    },
    async submit(request, own) {
      if (!isOwnPost(request, own.origin)) {
        return pages.note(403, 'Not from this page', 'The request did not come from the sign-in page of this zone.')
      }
      if (!FORM_TYPE.test(request.headers['content-type'] ?? '')) return nowhere()
      if (request.body.length > limits.signInBytes) {
        return pages.note(413, 'Too much was sent', 'A name and a password are shorter than this.')
      }
      const fields = readFields(request.body)
      const target = fields && await installed(fields.redirect_url, own)
      if (!fields || !target || !STATE.test(fields.state)) return nowhere()
      const { username, password, state } = fields
      const again = (status: number, message: string): HttpResponse =>
        show(status, request, own, { target, state, username }, message)
      const held = readCookie(request, 'zw_form', own.scheme)
      if (held === undefined || !keys.equal(utf8.encode(held), utf8.encode(fields.form))) {
        return again(403, 'This page was open for too long, or cookies are turned off. Try again.')
      }
      const { app } = target
      mark('passwordReceived', app, {})
      try {
        const pair = await hub.login({ username, password, appid: app })
        mark('pairReceived', app, { sub: username })
        const code = codes.put({ target, state, pair })
        return redirect(303, `${target.origin}/sso_callback?nonce=${code}`, clearCookies(own.scheme, 'zw_form'))
      } catch (error) {
        const [status, message] = refusalOf(error)
        return again(status, message)
      }
    },
  }
}

/** Undefined unless each field is there once and nothing beside them. */
function readFields(body: Uint8Array): Fields | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
  const given = [...new URLSearchParams(text)]
  const fields = Object.fromEntries(given)
  const complete = given.length === FIELDS.length && FIELDS.every((name) => Object.hasOwn(fields, name))
  return complete ? fields as Fields : undefined
}

/** What the person is told. @throws what is not for them */
function refusalOf(error: unknown): readonly [status: number, message: string] {
  if (!(error instanceof ZonewrightError)) throw error
  if (error.code === 'InvalidPassword') return [401, 'The user name or the password is wrong.']
  if (error.code === 'LoginLocked') {
    return [429, `Too many wrong passwords. Try again ${waitOf(error.details['retryMs'])}.`]
  }
  if (error instanceof Denied) {
    return error.details['reason'] === 'login/user'
      ? [403, 'This account is not active.'] : [403, 'You may not use this app.']
  }
  if (isPassing(error)) return [503, 'The zone cannot answer now. Try again in a moment.']
  throw error
}

function waitOf(retryMs: unknown): string {
  if (typeof retryMs !== 'number') return 'later'
  const seconds = Math.max(1, Math.ceil(retryMs / 1_000))
  if (seconds < 90) return `in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`
  return `in ${Math.ceil(seconds / 60)} minutes`
}
