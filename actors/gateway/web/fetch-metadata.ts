import type { HttpRequest } from '../../../runtime/platform/ports.ts'

/**
 * Who makes a browser send this. A cookie goes along with what other pages ask for as well, and between apps of one
 * zone `SameSite` is no barrier, since they are of one site: the gateway is it for all of them.
 */

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Where a page stands within another, which may then lay its own over it, and have it clicked at. */
const WITHIN: ReadonlySet<string> = new Set(['object', 'embed', 'frame', 'iframe', 'fencedframe'])

/** Sent by a page of this origin. What changes something must say so: every browser names the origin of a POST. */
export function isOwnPost({ headers }: Pick<HttpRequest, 'headers'>, origin: string): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return false
  const from = headers['origin']
  // `null` is also what a page sends that tells nobody where it is
  if (from === undefined || from === 'null') return site === 'same-origin'
  return from === origin
}

/** Whether the session of the cookie may be used for it. */
export function mayUseSession({ method, headers }: HttpRequest, origin: string): boolean {
  if (!SAFE.has(method)) return isOwnPost({ headers }, origin)
  const { origin: from, 'sec-fetch-site': site = 'none', 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers
  if (from !== undefined && from !== origin) return false
  if (site === 'none' || site === 'same-origin') return true
  // A link may lead here from anywhere; that page sees nothing of what it leads to
  return method === 'GET' && mode === 'navigate' && !WITHIN.has(dest ?? '')
}

/** A person opens a page: who is sent elsewhere then sees where. */
export const isNavigation = ({ method, headers }: HttpRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && (headers['sec-fetch-mode'] ?? 'navigate') === 'navigate'
