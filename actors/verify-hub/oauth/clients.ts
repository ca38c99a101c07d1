import { appidOf } from '../appid.ts'
import { fault, type Request, type Response } from './answers.ts'
import type { Form } from './form.ts'

const SCHEME = /^[A-Za-z][A-Za-z0-9-]*/

/**
 * Clients are public here: an app is known by the token that it brings. One that shows a secret believes to be known
 * by it, and is told that it is not.
 */
export function secretShown({ headers: { authorization } }: Request, form: Form): Response | undefined {
  if (authorization !== undefined) {
    const scheme = SCHEME.exec(authorization)?.[0] ?? 'Bearer'
    const headers = { 'www-authenticate': `${scheme} realm="zone"` }
    return fault('invalid_client', 'Clients have no secrets here: the token is all that counts', 401, headers)
  }
  const shown = ['client_secret', 'client_assertion', 'client_assertion_type'].some((name) => form[name] !== undefined)
  return shown ? fault('invalid_client', 'Clients have no secrets here: the token is all that counts') : undefined
}

/** `client_id` may be left out; one that is there is the app that the token was made for (RFC 6749 §5.2). */
export const isOfAnother = ({ client_id: client }: Form, token: string): boolean =>
  client !== undefined && client !== appidOf(token)

export const ofAnother = (): Response => fault('invalid_grant', 'The token was issued to another client')
