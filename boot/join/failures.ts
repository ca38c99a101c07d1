import {
  DeadlineExceeded, LimitExceeded, messageOf, Overloaded, TlsNotTrusted, Unavailable, ZonewrightError,
} from '../../runtime/errors.ts'
import type { TlsFault } from '../../runtime/platform/tls-ports.ts'
import {
  ClockSkew, JoinNotAllowed, JoinTokenExpired, JoinTokenRevoked, JoinTokenUnknown, JoinTokenUsed, NotAZone,
  RequestRefused, ServerExpired, ServerNotTrusted, ServerUnreachable, ServerWrongName,
} from '../errors.ts'

const newToken = 'Ask for another token: gen join-token --host NAME --out FOLDER'

/** Of a server that is not trusted, by what is wrong with it. */
export function tlsFailure(error: ZonewrightError, server: string): Error {
  const { message, details } = error
  switch (details['reason'] as TlsFault) {
    case 'unknown-authority':
      return new ServerNotTrusted(message, {
        next: 'Compare the root certificate with that of the zone, and the address: somebody else may answer there',
      })
    case 'wrong-name':
      return new ServerWrongName(message, { next: 'Give --server as the zone has it: addr in its config' })
    case 'not-yet-valid':
    case 'expired':
      return new ServerExpired(message, {
        next: 'Set the clock of this machine; else renew the certificate of the zone',
      })
    case 'no-tls':
      return new ServerUnreachable(message, { next: `Is ${server} the address of hosts, and not that of HTTP?` })
    case 'refused':
      return new ServerUnreachable(message, { next: 'Is this the version of the program that the zone runs?' })
  }
}

/** Of what the control plane answers. */
export function answerFailure(
  status: number, answer: { code?: unknown; error?: unknown; reason?: unknown; retryMs?: unknown },
): Error {
  const message = typeof answer.error === 'string' ? answer.error.slice(0, 300) : `It answers ${status}`
  const { code, reason, retryMs } = answer
  if (code === 'JoinRefused') {
    const details = { reason }
    switch (reason) {
      case 'unknown': return new JoinTokenUnknown(message, { ...details, next: newToken })
      case 'expired': return new JoinTokenExpired(message, { ...details, next: newToken })
      case 'revoked': return new JoinTokenRevoked(message, { ...details, next: newToken })
      case 'used': return new JoinTokenUsed(message, {
        ...details, next: `If that was not this host, revoke its certificate. ${newToken}`,
      })
      case 'taken': return new JoinNotAllowed(message, {
        ...details, next: 'Give --device-key of the host that joined; or revoke it, and make another token',
      })
      case 'owned': return new JoinNotAllowed(message, { ...details, next: 'Choose another name for this host' })
      case 'hook': return new JoinNotAllowed(message, {
        ...details, next: 'Ask who keeps the zone: its own program refuses this host',
      })
      case 'role': return new JoinNotAllowed(message, {
        ...details, next: 'Give --role as the token was made for, or ask for another: gen join-token --role ROLE',
      })
      case 'refused': return new JoinNotAllowed(message, { ...details, next: 'Ask who keeps the zone, and why' })
      case 'approval': return new JoinNotAllowed(message, {
        ...details, next: 'The owner approves it again: hosts approve NAME --owner-key FILE',
      })
      case 'host': return new JoinNotAllowed(message, { ...details, next: 'Give --host as the token was made for' })
      case 'address': return new JoinNotAllowed(message, {
        ...details, next: 'Join from an address that the token is for',
      })
      default: return new JoinNotAllowed(message, { ...details, next: newToken })
    }
  }
  if (code === 'ClockSkew') return new ClockSkew(message, { next: 'Set the clock of this machine' })
  if (code === 'CertificateRefused') {
    return new RequestRefused(message, { reason, next: 'Is this the version of the program that the zone runs?' })
  }
  if (status === 429) return new Overloaded(message, { retryMs })
  if (status === 503) return new Unavailable(message, { code })
  if (status === 413) return new LimitExceeded(message)
  return new NotAZone(`The control plane answers ${status}: ${message}`)
}

/** What may be otherwise in a moment. */
export const isPassing = (error: unknown): boolean =>
  error instanceof Unavailable || error instanceof DeadlineExceeded || error instanceof Overloaded

/** After the last attempt. */
export function lastFailure(error: unknown, server: string, attempts: number): unknown {
  if (error instanceof TlsNotTrusted) return tlsFailure(error, server)
  const next = 'Does the zone run there, and does a firewall let this host reach the port?'
  if (error instanceof DeadlineExceeded) return new DeadlineExceeded(error.message, { ...error.details, next })
  if (error instanceof Overloaded) {
    return new Overloaded(error.message, { ...error.details, next: 'Wait that long, and join again' })
  }
  if (!(error instanceof Unavailable)) return error
  return new ServerUnreachable(`${messageOf(error)} (attempts: ${attempts})`, { next })
}
