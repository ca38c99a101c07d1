import { isWithin, parseCidr } from '../cidr.ts'
import { JoinRefused, type JoinToken } from '../vault/protocol.ts'

/** What is known of a join before a certificate is asked for. */
export interface JoinAttempt {
  readonly token: JoinToken
  readonly host: string
  /** Of the connection. */
  readonly address: string
}

/** A check beside the token (seed: rk8s-libvault, join step 14). @throws JoinRefused */
export interface JoinCheck {
  readonly name: string
  /** What it went by, for the trace. */
  check(attempt: JoinAttempt): Promise<string> | string
}

export const cidrCheck: JoinCheck = {
  name: 'cidr',
  check({ token: { cidr }, address }) {
    if (cidr === undefined) return 'any address'
    if (!isWithin(parseCidr(cidr), address)) {
      throw new JoinRefused(`The join token is not for this address: ${address}`, { reason: 'address' })
    }
    return cidr
  },
}

/** In their order; a zone that asks for more adds to them. */
export const joinChecks: readonly JoinCheck[] = [cidrCheck]
