import { kv, type ServiceSpec } from '../actors/records.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../runtime/platform/ports.ts'
import type { TokenClaims } from '../runtime/trust/token.ts'
import { fromBase64url } from '../runtime/trust/base64url.ts'
import { type Change, inLiveZone, type LiveOptions, type LiveZone } from './actors/live-zone.ts'

/** A zone in virtual time with two apps that answer HTTP, and a browser. */

export const WEB_PORT = 18_000

export type Sent = Partial<Omit<HttpRequest, 'body'>> & { readonly body?: Uint8Array | string }

export interface WebZone {
  readonly live: LiveZone
  readonly user: { readonly username: string; readonly password: string }
  /** Of the gateway. */
  readonly port: number
  /** What the apps were asked, in order. */
  readonly asked: readonly HttpRequest[]
  /** How they answer; at first with their path. */
  answer: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>
  server: HttpServer
  install(name: string, changes?: Partial<ServiceSpec>): Promise<void>
  /** A request as a program makes it. */
  send(host: string | undefined, path: string, changes?: Sent): Promise<HttpResponse>
}

const text = (body: string | Uint8Array): Uint8Array =>
  (typeof body === 'string' ? new TextEncoder().encode(body) : body)

export const inWebZone = (
  test: (zone: WebZone) => Promise<void>, changes: Readonly<Record<string, Change>> = {},
  liveOptions: LiveOptions = {},
): Promise<void> => inLiveZone(async (live) => {
  const { zone, world } = live
  const user = (await zone.firstPassword())!
  const asked: HttpRequest[] = []
  const { port } = zone.address
  const { transport } = world.startProcess(zone.config.host).platform
  const options = { hostname: '127.0.0.1', port: WEB_PORT, bodyBytesMax: 1024 * 1024, requestMsMax: 600_000 }
  const web: WebZone = {
    live, user, port, asked,
    answer: ({ path }) => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: `app ${path}` }),
    server: await transport.serveHttp(options, async (request) => {
      asked.push(request)
      return web.answer(request)
    }),
    async install(name, more = {}) {
      await live.set(kv.spec(name), {
        name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [],
        http: { port: WEB_PORT }, ...more,
      })
      const placed = async (): Promise<boolean> =>
        (await live.read(kv.node(zone.config.host)))?.includes(`"${name}"`) === true
      for (let waited = 0; waited < 50 && more.replicas !== 0 && !await placed(); waited++) await live.pause(100)
    },
    send: (host, path, { body = '', ...more } = {}) => {
      const [bare = '', query = ''] = path.split(/\?(.*)/s)
      const { headers = {}, ...others } = more
      return world.http(zone.config.host, port, {
        method: 'GET', path: bare, query, body: text(body), remoteAddress: '127.0.0.1', ...others,
        headers: { ...(host === undefined ? {} : { host }), ...headers },
      })
    },
  }
  await web.install('web')
  await web.install('notes')
  await test(web)
  await web.server.close(0)
}, changes, liveOptions)

/** What a browser does of its own accord: cookies by host, `origin` and the `sec-fetch` headers, and redirects. */
export class Browser {
  readonly #web: Pick<WebZone, 'user' | 'send'>
  /** By host without its port, as browsers keep them. */
  readonly jar = new Map<string, Map<string, string>>()
  /** Where it is. */
  url = ''
  /** Where it was, each with the status that it got. */
  readonly way: string[] = []

  constructor(web: Pick<WebZone, 'user' | 'port' | 'send'>) {
    this.#web = web
  }

  cookies(url: string): Map<string, string> {
    const { hostname } = new URL(url)
    const found = this.jar.get(hostname) ?? new Map<string, string>()
    this.jar.set(hostname, found)
    return found
  }

  /** Types an address, or follows a link of the page it is at. */
  open(url: string, from = ''): Promise<HttpResponse> {
    return this.#go('GET', new URL(url, this.url || undefined).href, '', from)
  }

  /** Sends a form of the page it is at. */
  submit(action: string, fields: Readonly<Record<string, string>>): Promise<HttpResponse> {
    return this.#go('POST', new URL(action, this.url).href, String(new URLSearchParams(fields)), this.url)
  }

  /** A script of the page it is at asks. */
  async fetch(method: string, url: string, body = '', headers: HttpRequest['headers'] = {}): Promise<HttpResponse> {
    return this.#send(method, new URL(url, this.url).href, body, this.url, 'cors', headers)
  }

  /** Fills in the sign-in page that it is at. */
  signIn(page: HttpResponse, changes: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
    return this.submit('/sso/login', { ...hiddenIn(page), ...this.#web.user, ...changes })
  }

  async #go(method: string, url: string, body: string, from: string): Promise<HttpResponse> {
    let [verb, at, sent] = [method, url, body]
    for (let hops = 0; hops < 10; hops++) {
      const response = await this.#send(verb, at, sent, from, 'navigate')
      this.url = at
      const { location } = response.headers
      const { host, pathname } = new URL(at)
      this.way.push(`${response.status} ${verb} ${host.replace(/:\d+$/, '')}${pathname}`)
      if (location === undefined) return response
      ;[verb, at, sent] = ['GET', location, '']
    }
    throw new Error(`It goes round in circles: ${this.way.join(', ')}`)
  }

  async #send(
    method: string, url: string, body: string, from: string, mode: string, more: HttpRequest['headers'] = {},
  ): Promise<HttpResponse> {
    const { host, origin, pathname, search } = new URL(url)
    const site = from === '' ? 'none' : new URL(from).origin === origin ? 'same-origin' : 'cross-site'
    const cookie = [...this.cookies(url)].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#web.send(host, pathname + search, {
      method, body: text(body), headers: {
        'sec-fetch-mode': mode, 'sec-fetch-site': site, ...(cookie === '' ? {} : { cookie }),
        ...(method === 'POST' ? { origin: new URL(from).origin } : {}),
        ...(body === '' ? {} : { 'content-type': 'application/x-www-form-urlencoded' }), ...more,
      },
    })
    for (const line of response.cookies ?? []) {
      const [, name = '', value = '', rest = ''] = /^([^=]+)=([^;]*)(.*)$/.exec(line) ?? []
      if (/; Max-Age=0(;|$)/.test(rest)) this.cookies(url).delete(name)
      else this.cookies(url).set(name, value)
    }
    return response
  }
}

const unescaped: Readonly<Record<string, string>> = {
  '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'",
}
const HIDDEN = /<input type="hidden" name="(\w+)" value="([^"]*)">/g

export const hiddenIn = ({ body }: HttpResponse): Record<string, string> =>
  Object.fromEntries([...new TextDecoder().decode(text(body as string | Uint8Array)).matchAll(HIDDEN)]
    .map(([, name = '', value = '']) => [name, value.replace(/&[a-z#0-9]+;/g, (one) => unescaped[one] ?? one)]))

/** The same for each app: from its host to its page, by name and password. */
export async function signedIn(web: Pick<WebZone, 'user' | 'port' | 'send'>, app = 'web'): Promise<Browser> {
  const browser = new Browser(web)
  const page = await browser.open(`http://${app}.localhost:${web.port}/`)
  const arrived = await browser.signIn(page)
  if (arrived.status !== 200) throw new Error(`It was not signed in: ${browser.way.join(', ')}`)
  return browser
}

export interface AppCookies { readonly zw_session: string; readonly zw_refresh: string }

/** The cookies of a session in this app, as a program would send it. */
export async function cookieOf(web: WebZone, app = 'web'): Promise<AppCookies> {
  const browser = await signedIn(web, app)
  return Object.fromEntries(browser.cookies(browser.url)) as unknown as AppCookies
}

/** All of a body, however it comes. */
export async function textOf({ body }: HttpResponse): Promise<string> {
  if (typeof body === 'string' || body instanceof Uint8Array) return new TextDecoder().decode(text(body))
  let whole = ''
  const decoder = new TextDecoder()
  for await (const piece of body) whole += decoder.decode(text(piece), { stream: true })
  return whole
}

export const claimsOf = (token: string): TokenClaims =>
  JSON.parse(new TextDecoder().decode(fromBase64url(token.split('.')[1]!)))
