import { DeadlineExceeded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { deferred, within, type Deferred } from '../../runtime/within.ts'
import { algorithmOf } from '../../runtime/x509/algorithm.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { faultOf, violation, type Control, type ControlOf } from './messages.ts'
import { RenewalRefused, type Chain, type NextCertificate } from './protocol.ts'

export type Role = 'dialer' | 'listener'

export interface RenewalGround {
  readonly role: Role
  readonly clock: Clock
  readonly keys: Keys
  /** DER of the two certificates that the connection was made with. */
  readonly own: Uint8Array
  readonly peer: Uint8Array
  /** Of the dialer and of the listener. */
  readonly nonces: readonly [string, string]
  send(message: Control): void
  onRenew(chain: Chain): Promise<void>
}

/**
 * The certificates of a tunnel's two ends, and those that come in their place while it is open. What a renewal signs is
 * of this tunnel, this end and this turn alone: nobody can use it again, or somewhere else.
 */
export class Renewals {
  readonly #ground: RenewalGround
  readonly #fingerprints: readonly [string, string]
  readonly #names: string
  #peer: Certificate
  /** Turns of the other end, of which one at a time is judged. */
  #theirs = 0
  #judging = false
  /** When those came that were judged, by the monotonic clock. */
  #recent: readonly number[] = []
  #ours = 0
  #waiting: Deferred<void> | undefined

  /** @throws InvalidArgument when a certificate cannot be read */
  constructor(ground: RenewalGround) {
    const { role, own, peer } = ground
    this.#ground = ground
    this.#peer = parseCertificate(peer)
    this.#names = namesOf(this.#peer)
    const [dialer, listener] = role === 'dialer' ? [own, peer] : [peer, own]
    this.#fingerprints = [this.#fingerprint(dialer), this.#fingerprint(listener)]
  }

  /** The peer's certificate has ended, and none came in its place. */
  get ended(): boolean {
    return this.#ground.clock.now() > this.#peer.notAfter
  }

  #fingerprint(certificate: Uint8Array): string {
    return toBase64url(this.#ground.keys.hash(certificate))
  }

  #statement(role: Role, n: number, leaf: Uint8Array): Uint8Array {
    const { nonces } = this.#ground
    return encoder.encode(JSON.stringify([
      'zonewright tunnel renewal', 1, role, n, ...nonces, ...this.#fingerprints, this.#fingerprint(leaf),
    ]))
  }

  // ---- ours

  /** @throws RenewalRefused, what the other end threw, Unavailable, DeadlineExceeded */
  async renew({ chain, sign }: NextCertificate): Promise<void> {
    if (this.#waiting) throw new RenewalRefused('A renewal is under way', { reason: 'busy' })
    const [leaf] = chain
    if (!leaf || chain.length > limits.tunnelChain) {
      const text = `A chain has 1 to ${limits.tunnelChain} certificates: ${chain.length}`
      throw new RenewalRefused(text, { reason: 'chain' })
    }
    const encoded = chain.map(toBase64url)
    if (encoded.some(({ length }) => length > limits.tunnelCertificate)) {
      throw new RenewalRefused('A certificate of the chain is too long', { reason: 'chain' })
    }
    const { role, clock, send } = this.#ground
    const n = ++this.#ours
    const waiting = this.#waiting = deferred<void>()
    send({ t: 'renew', n, chain: encoded, signature: toBase64url(sign(this.#statement(role, n, leaf))) })
    try {
      await within(clock, limits.tunnelRenewMs, waiting.promise, () =>
        new DeadlineExceeded(`No answer to a renewal within ${limits.tunnelRenewMs} ms`))
    } finally {
      this.#waiting = undefined
    }
  }

  /** @throws TunnelViolation */
  answered(n: number, error?: Error): void {
    // One that came too late for its caller is no fault of the other end's
    if (n > this.#ours || n < 1) throw violation('an answer to no renewal')
    if (n !== this.#ours || !this.#waiting) return
    if (error) this.#waiting.reject(error)
    else this.#waiting.resolve()
  }

  // ---- theirs

  /** @throws TunnelViolation */
  take({ n, chain, signature }: ControlOf<'renew'>): void {
    if (n !== this.#theirs + 1) throw violation('a renewal out of turn')
    if (this.#judging) throw violation('a renewal while another is judged')
    this.#theirs = n
    const { clock, send } = this.#ground
    const now = clock.monotonic()
    this.#recent = this.#recent.filter((at) => now - at < limits.edgeRenewalsMs)
    // Each costs its judge a look at the zone; a host has no need of so many
    if (this.#recent.length >= limits.edgeRenewals) {
      const often = new RenewalRefused('Too many renewals on this tunnel', { reason: 'busy' })
      return send({ t: 'renewal-refused', n, error: faultOf(often) })
    }
    this.#recent = [...this.#recent, now]
    const certificates = chain.map(fromBase64url)
    const signed = fromBase64url(signature)
    if (!signed || !certificates.every((one) => one !== undefined)) throw violation('a renewal that cannot be read')
    const next = this.#proven(n, certificates[0]!, signed)
    if (this.#names === NOBODY || namesOf(next) !== this.#names) throw violation('a renewal of another host')
    void this.#judge(n, next, certificates as Chain)
  }

  /** Of which the sender has the key. @throws TunnelViolation */
  #proven(n: number, der: Uint8Array, signature: Uint8Array): Certificate {
    const { role, keys } = this.#ground
    const statement = this.#statement(role === 'dialer' ? 'listener' : 'dialer', n, der)
    let holds = false
    let next: Certificate | undefined
    try {
      next = parseCertificate(der)
      const key = keys.certificates.importSpki(next.spki)
      holds = key.verify(statement, signature, algorithmOf(key.type).hash)
    } catch {
      throw violation('a renewal that cannot be read')
    }
    if (!holds) throw violation('a renewal that its key has not signed')
    return next
  }

  async #judge(n: number, next: Certificate, chain: Chain): Promise<void> {
    const { clock, send, onRenew } = this.#ground
    this.#judging = true
    try {
      const now = clock.now()
      if (now > next.notAfter) throw new RenewalRefused('The next certificate has ended', { reason: 'expired' })
      await onRenew(chain)
      this.#peer = next
      send({ t: 'renewed', n })
    } catch (error) {
      send({ t: 'renewal-refused', n, error: faultOf(error) })
    } finally {
      this.#judging = false
    }
  }

  close(reason: string): void {
    this.#waiting?.reject(new Unavailable(`The tunnel is closed: ${reason}`))
  }
}

const encoder = new TextEncoder()

/** Of a certificate that names nobody, which has no next. */
const NOBODY = '[]'

function namesOf({ extensions }: Certificate): string {
  const names = (extensions.names ?? []).filter(({ type }) => type === 'uri').map(({ value }) => value)
  return JSON.stringify(names.sort())
}
