import { Internal, ZonewrightError } from '../../runtime/errors.ts'
import type { Sys } from './envelope.ts'

/** An error as the originals tell it, and beside that as we do. */
export interface Refusal {
  readonly status: number
  readonly body: {
    /** The originals' display text. */
    readonly error: string
    readonly code: string
    readonly details: Readonly<Record<string, unknown>>
    readonly sys: Sys
  }
}

type Row = readonly [status: number, display: (error: ZonewrightError, service: string) => string]

const parse: Row = [400, ({ message }) => `Parse Request Error: ${message}`]
const failed = (status: number): Row => [status, ({ message }) => `Failed due to reason: ${message}`]
const away: Row = [503, (_, service) => `Service not valid: ${service}`]

/** By our code. What is not here is nobody's business outside: `Internal`, without its text. */
const rows: Readonly<Record<string, Row>> = {
  UnknownMethod: [400, ({ message }) => message],
  InvalidArgument: parse,
  InvalidKey: parse,
  InvalidPath: parse,
  LoginLocked: [429, ({ message }) => message],
  InvalidPassword: [401, () => 'Invalid password'],
  KeyNotFound: [404, ({ details, message }) => `Key not exist: ${String(details['key'] ?? message)}`],
  KeyExists: failed(409),
  RevisionMismatch: [409, ({ details: { key, expected, actual } }) =>
    `Failed due to reason: revision mismatch for key ${String(key)}: expected ${String(expected)}, `
      + `actual ${String(actual)}`],
  NotFound: failed(404),
  NotInVault: failed(404),
  CertificateRefused: failed(400),
  VaultSealed: [503, () => 'Failed due to reason: The vault is sealed'],
  Compacted: failed(410),
  WatchOverrun: failed(410),
  LimitExceeded: failed(413),
  Overloaded: [503, () => 'Failed due to reason: Too many requests at once'],
  DeadlineExceeded: [503, () => 'Failed due to reason: The answer took too long'],
  DiskFull: [503, () => 'Failed due to reason: The disk is full'],
  Unavailable: away,
  Restarted: away,
  Cancelled: away,
  Internal: [500, () => 'Failed due to reason: The request failed; the log says why'],
}

const denial: Row = [403, ({ message }) => `No permission:${message}`]
const badToken: Row = [401, ({ message }) => `Invalid token: ${message}`]

/** By the reason of a denial, or the part of it before the slash. */
const denials: Readonly<Record<string, Row>> = {
  'token/expired': [401, ({ message }) => `Token expired:${message}`],
  'login/user': [403, ({ message }) => `User Not Found:${message}`],
  token: badToken,
  refresh: badToken,
}

/** What of `details` may be told. */
const TOLD = [
  'denial', 'reason', 'retryMs', 'key', 'revision', 'expected', 'actual', 'id', 'host', 'actor',
  'skewSeconds', 'issuedAgoSeconds', 'expiredAgoSeconds',
] as const

function rowOf({ code, details }: ZonewrightError): Row | undefined {
  if (code !== 'Denied') return Object.hasOwn(rows, code) ? rows[code] : undefined
  const reason = String(details['reason'])
  const part = reason.split('/')[0]!
  return Object.hasOwn(denials, reason) ? denials[reason] : Object.hasOwn(denials, part) ? denials[part] : denial
}

export const isUnexpected = (error: unknown): boolean =>
  !(error instanceof ZonewrightError) || rowOf(error) === undefined || error.code === 'Internal'

/** What the caller is told of anything that was thrown. */
export function refusalOf(thrown: unknown, service: string, sys: Sys): Refusal {
  const known = thrown instanceof ZonewrightError && !isUnexpected(thrown)
  const error = known ? thrown : new Internal('The request failed')
  const [status, display] = rowOf(error)!
  const { code, details } = error
  const told = TOLD.filter((name) => ['string', 'number'].includes(typeof details[name]))
  return {
    status,
    body: {
      error: display(error, service), code,
      details: Object.fromEntries(told.map((name) => [name, details[name]])), sys,
    },
  }
}
