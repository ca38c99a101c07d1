import type { HttpRequest } from '../../../runtime/platform/ports.ts'
import { isName } from '../../records.ts'

/**
 * Whose host name a request is for. Each app has an origin of its own, `{app}.localhost` or `{app}.{zone}`, so that a
 * browser keeps apart what belongs to each; the names without an app are the zone's own, where people sign in.
 */
export type Place =
  /** `origin` is undefined for who names no host: such a client is no browser. */
  | { readonly kind: 'own'; readonly origin: string | undefined; readonly port: string }
  | {
    readonly kind: 'app'; readonly app: string; readonly origin: string; readonly port: string
    /** Where its users sign in. */
    readonly signIn: string
  }
  /** No name of this gateway: a name that somebody made lead here, or a mistake. */
  | { readonly kind: 'unknown' }

export interface Origins {
  /** `https` only where a proxy on this machine says that it was. */
  schemeOf(request: HttpRequest): Scheme
  placeOf(host: string | undefined, scheme: Scheme): Place
}

export type Scheme = 'http' | 'https'

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9][a-z0-9_.-]*[a-z0-9]|[a-z0-9])(?::([1-9]\d{0,4}))?$/
const ADDRESS = /^(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[.*\])$/
const LOOPBACK = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/
const defaultPorts: Readonly<Record<Scheme, string>> = { http: '80', https: '443' }

export function createOrigins(zone: string): Origins {
  const bases = ['localhost', zone]
  return {
    schemeOf: ({ remoteAddress, headers }) =>
      (LOOPBACK.test(remoteAddress) && headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'),
    placeOf(host, scheme) {
      if (host === undefined) return { kind: 'own', origin: undefined, port: '' }
      const [, name, given = ''] = HOST.exec(host.toLowerCase()) ?? []
      if (name === undefined) return { kind: 'unknown' }
      const port = given === defaultPorts[scheme] ? '' : given
      const originOf = (of: string): string => `${scheme}://${of}${port === '' ? '' : `:${port}`}`
      if (bases.includes(name) || ADDRESS.test(name)) return { kind: 'own', origin: originOf(name), port }
      const dot = name.indexOf('.')
      const [app, base] = [name.slice(0, dot), name.slice(dot + 1)]
      if (dot < 0 || !bases.includes(base) || !isName(app)) return { kind: 'unknown' }
      return { kind: 'app', app, origin: originOf(name), port, signIn: originOf(base) }
    },
  }
}

/** Characters of an address to return to; a longer one is not kept. */
const TARGET_LENGTH = 2_048

/** Where somebody wants to be sent after the sign-in: a page of an app of this gateway, at this very port. */
export interface Target {
  readonly app: string
  readonly origin: string
  /** Path and query. */
  readonly path: string
}

/** Undefined for every address that is not exactly of an app's origin: nobody is ever sent elsewhere. */
export function targetOf(
  { placeOf }: Origins, address: string | null, scheme: Scheme, port: string,
): Target | undefined {
  if (address === null || address.length > TARGET_LENGTH) return undefined
  let url: URL
  try {
    url = new URL(address)
  } catch {
    return undefined
  }
  if (url.protocol !== `${scheme}:` || url.username !== '' || url.password !== '') return undefined
  const place = placeOf(url.host, scheme)
  if (place.kind !== 'app' || place.port !== port) return undefined
  return { app: place.app, origin: place.origin, path: pageOf(url.pathname + url.search) }
}

/** What the gateway answers itself is no page to return to. */
export const pageOf = (path: string): string => (path.startsWith('/sso_') || path.length > TARGET_LENGTH ? '/' : path)
