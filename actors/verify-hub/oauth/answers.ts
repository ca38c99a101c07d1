import { ZonewrightError } from '../../../runtime/errors.ts'
import type { Infer } from '../../../runtime/protocol.ts'
import type { HttpCallRequest, HttpCallResponse } from '../../http-protocol.ts'

export type Request = Infer<typeof HttpCallRequest>
export type Response = Infer<typeof HttpCallResponse>

/** Codes of RFC 6749 §5.2, and of §4.1.2.1 for what passes. */
export type OAuthCode =
  | 'invalid_request' | 'invalid_client' | 'invalid_grant' | 'invalid_scope' | 'unsupported_grant_type'
  | 'temporarily_unavailable'

/** RFC 6749 §5.1: what holds tokens, and what is said of them, stays in no cache. */
const NOT_KEPT = { 'cache-control': 'no-store', pragma: 'no-cache' }
/** Keys may be retired any time: nobody need go by what was a minute ago. */
const KEPT = { 'cache-control': 'public, max-age=60', vary: 'host' }

export const kept = (value: object, type = 'application/json'): Response =>
  ({ status: 200, headers: { ...KEPT, 'content-type': type }, body: JSON.stringify(value) })

export const json = (status: number, value: object, headers: Response['headers'] = {}): Response =>
  ({ status, headers: { ...NOT_KEPT, 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) })

/** What §5.2 lets a description hold: no quote and no backslash. */
const described = (text: string): string => text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?')

export const fault = (
  code: OAuthCode, description: string, status = 400, headers: Response['headers'] = {},
): Response => json(status, { error: code, error_description: described(description) }, headers)

/** RFC 6750 §3. Who has shown nothing at all is told no reason. */
export function challenge(description?: string): Response {
  const why = description === undefined ? '' : `, error="invalid_token", error_description="${described(description)}"`
  const headers = { 'www-authenticate': `Bearer realm="zone"${why}` }
  return description === undefined
    ? fault('invalid_client', 'The caller shows a session token as Bearer', 401, headers)
    : json(401, { error: 'invalid_token', error_description: described(description) }, headers)
}

/** Away for a moment. A verify-hub that boot/config does not name is so until its owner puts that right. */
const PASSING = new Set([
  'Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled', 'DiskFull', 'VerifyHubKeyMismatch',
])
export const isDenied = (error: unknown): error is ZonewrightError =>
  error instanceof ZonewrightError && error.code === 'Denied'

export const toldOf = ({ message, details: { denial } }: ZonewrightError): string =>
  (denial === undefined ? message : `${message} (${String(denial)})`)

/** @throws what is nobody's business outside */
export function faultOf(error: unknown): Response {
  if (!(error instanceof ZonewrightError)) throw error
  if (PASSING.has(error.code)) {
    return fault('temporarily_unavailable', 'The zone cannot answer now', 503, { 'retry-after': '1' })
  }
  if (isDenied(error)) {
    const isScope = error.details['reason'] === 'login/audience'
    return fault(isScope ? 'invalid_scope' : 'invalid_grant', toldOf(error))
  }
  throw error
}
