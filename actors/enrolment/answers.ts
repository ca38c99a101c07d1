import { safeParse } from 'valibot'
import { InvalidArgument, messageOf, ZonewrightError } from '../../runtime/errors.ts'
import type { HttpResponse } from '../../runtime/platform/ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'

export const json = (status: number, value: unknown, headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body: `${JSON.stringify(value)}\n`,
})

/** By our code. Of any other error nothing is told but that there was one. */
const statuses: Readonly<Record<string, number>> = {
  InvalidArgument: 400, CertificateRefused: 400, ClockSkew: 400,
  Denied: 403, JoinRefused: 403, HostCertificateNeeded: 403,
  NotInVault: 404, NotFound: 404, LimitExceeded: 413, Overloaded: 503, Unavailable: 503, DeadlineExceeded: 503,
  VaultSealed: 503, Restarted: 503, Cancelled: 503, DiskFull: 503,
}
const TOLD = ['reason', 'skewMs', 'retryMs', 'denial', 'next'] as const

export const isUnexpected = (error: unknown): boolean =>
  !(error instanceof ZonewrightError) || !Object.hasOwn(statuses, error.code)

export function refusal(error: unknown): HttpResponse {
  if (!(error instanceof ZonewrightError) || isUnexpected(error)) {
    return json(500, { error: 'The request failed; the log says why', code: 'Internal' })
  }
  const { code, details } = error
  const told = TOLD.filter((name) => ['string', 'number'].includes(typeof details[name]))
  const status = statuses[code]!
  return json(status, {
    error: messageOf(error), code, ...Object.fromEntries(told.map((name) => [name, details[name]])),
  }, status === 503 ? { 'retry-after': '1' } : {})
}

/** @throws InvalidArgument */
export function readBody<S extends Schema>(schema: S, body: Uint8Array): Infer<S> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new InvalidArgument('The request is not JSON')
  }
  const parsed = safeParse(schema, value)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  const at = (issue.path ?? []).map(({ key }: { key?: unknown }) => String(key)).join('.')
  throw new InvalidArgument(`The request has not the expected shape: ${at || issue.message}`)
}
