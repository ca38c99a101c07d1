import { messageOf } from '../../runtime/errors.ts'
import { isWithin, parseCidr } from '../cidr.ts'
import { JoinRefused, type JoinToken } from '../vault/protocol.ts'

/** What is known of a join before a certificate is asked for. */
export interface JoinAttempt {
  readonly token: JoinToken
  readonly host: string
  /** Of the connection. */
  readonly address: string
  /** Thumbprint of the key in its statement, if that is sound: the vault lets in only who has it. Who asks pays. */
  device(): string | undefined
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

/** Asks a program of this host, which the host's own file names. Nothing that it is told is a secret. */
export const hookCheck = (zone: string, ask: (question: string) => Promise<HookAnswer>): JoinCheck => ({
  name: 'hook',
  async check({ token: { id, role, createdBy, createdAt, expiresAt, cidr }, host, address, device }) {
    const token = { id, createdBy, createdAt, expiresAt, ...(cidr === undefined ? {} : { cidr }) }
    const question = { zone, host, role, address, device: device() ?? null, token }
    // Whatever keeps it from an answer is a no
    const { allowed, said } = await ask(`${JSON.stringify(question)}\n`).catch((error: unknown) =>
      ({ allowed: false, said: messageOf(error) }))
    if (!allowed) throw new JoinRefused('The zone’s own check refuses this host', { reason: 'hook', said })
    return said === '' ? 'yes' : said
  },
})

interface HookAnswer {
  readonly allowed: boolean
  readonly said: string
}

/** In their order. */
export const joinChecks = (hook: JoinCheck | undefined): readonly JoinCheck[] =>
  (hook ? [cidrCheck, hook] : [cidrCheck])
