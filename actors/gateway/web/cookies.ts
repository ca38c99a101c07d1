import type { HttpRequest } from '../../../runtime/platform/ports.ts'
import type { Scheme } from './origins.ts'

/**
 * The gateway's own cookies. None is readable by a script, none is sent to another host, and by HTTPS none can have
 * been set by another host either (`__Host-`, RFC 6265bis §4.1.3.2).
 */
export type CookieName = 'zw_session' | 'zw_refresh' | 'zw_sign_in' | 'zw_form'

const OURS = /^(?:__host-)?zw_/i

const nameOf = (name: CookieName, scheme: Scheme): string => (scheme === 'https' ? `__Host-${name}` : name)

const pairsOf = (header: string): readonly (readonly [name: string, value: string, text: string])[] =>
  header.split(';').map((part) => part.trim()).filter((part) => part !== '').map((text) => {
    const mark = text.indexOf('=')
    return mark < 0 ? ['', text, text] : [text.slice(0, mark), text.slice(mark + 1), text]
  })

/** Undefined also where it comes twice: then one of them was set by somebody else, and nobody knows which. */
export function readCookie({ headers }: HttpRequest, name: CookieName, scheme: Scheme): string | undefined {
  const found = pairsOf(headers['cookie'] ?? '').filter(([given]) => given === nameOf(name, scheme))
  return found.length === 1 && found[0]![1] !== '' ? found[0]![1] : undefined
}

/** `seconds` 0 takes it away. */
export const setCookie = (name: CookieName, scheme: Scheme, value: string, seconds: number): string =>
  `${nameOf(name, scheme)}=${value}; Path=/; Max-Age=${Math.max(0, Math.floor(seconds))}; HttpOnly; SameSite=Lax`
    + (scheme === 'https' ? '; Secure' : '')

export const clearCookies = (scheme: Scheme, ...names: readonly CookieName[]): readonly string[] =>
  names.map((name) => setCookie(name, scheme, '', 0))

/** What a service may see of the cookies of its host; '' when there are no others. */
export const withoutOurs = (header: string): string =>
  pairsOf(header).filter(([name]) => !OURS.test(name)).map(([, , text]) => text).join('; ')

/** A cookie that a service sets: never one of ours, and for its own host only, so that no app reaches another's. */
export function ownCookie(line: string): string | undefined {
  const [pair = '', ...attributes] = line.split(';')
  if (OURS.test(pair.trim())) return undefined
  return [pair, ...attributes.filter((attribute) => !/^\s*domain\s*(?:=|$)/i.test(attribute))].join(';')
}
