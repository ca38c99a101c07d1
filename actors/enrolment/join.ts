import { ZonewrightError } from '../../runtime/errors.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, HttpRequest } from '../../runtime/platform/ports.ts'
import type { Client, Infer } from '../../runtime/protocol.ts'
import { ClockSkew } from '../clock-skew.ts'
import {
  fingerprint, type JoinAnswer, type JoinRequest, type RenewAgainRequest, type RenewRequest,
  verifyStatement,
} from '../join-protocol.ts'
import { JOIN_SEQUENCE, joinStep } from '../join-steps.ts'
import { JoinRefused, type Enrolled, type Vault } from '../vault/protocol.ts'
import type { JoinCheck } from './checks.ts'
import { isNotJoined, type Registrations, type There } from './registrations.ts'
import type { KnownHost } from './trust.ts'

type Ports = Pick<ActorStart, 'keys' | 'clock' | 'step'> & {
  readonly vault: Pick<Client<typeof Vault>, 'checkJoinToken' | 'enrol' | 'renewEnrolment'>
  /** Of the certificates that open connections may have been shown, the newest first. */
  readonly fingerprints: () => readonly string[]
  readonly registrations: Pick<Registrations, 'registrar' | 'told' | 'demandFree' | 'settle'>
  /** Beside the token, in their order. */
  readonly checks: readonly JoinCheck[]
  /** Something is in the vault and not in `kv://`. */
  readonly late: () => void
}

export interface Joins {
  /** @throws JoinRefused, CertificateRefused, ClockSkew */
  join(request: JoinRequest, from: Pick<HttpRequest, 'remoteAddress'>): Promise<JoinAnswer>
  renew(request: Infer<typeof RenewRequest>, host: KnownHost): Promise<JoinAnswer>
  /** Of a host that shows no certificate. */
  renewAgain(request: Infer<typeof RenewAgainRequest>): Promise<JoinAnswer>
}

/** Milliseconds by which the other clock is behind ours. */
export const skewBy = (clock: Pick<Clock, 'now'>) =>
  /** @throws ClockSkew */
  (now: number): number => {
    const skewMs = clock.now() - now
    if (Math.abs(skewMs) > limits.joinSkewMs) {
      const seconds = Math.round(Math.abs(skewMs) / 1_000)
      throw new ClockSkew(`The clock of the host is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead'}`, { skewMs })
    }
    return skewMs
  }

/** A connection that was opened before the certificate was renewed was shown the one before. */
export const serverBy = (fingerprints: () => readonly string[]) =>
  async <T>(run: (server: string) => Promise<T>): Promise<T> => {
    const [newest, ...older] = fingerprints()
    try {
      return await run(newest!)
    } catch (error) {
      const isOfProof = error instanceof ZonewrightError && error.details['reason'] === 'proof'
      if (!isOfProof || older.length === 0) throw error
      return await run(older[0]!)
    }
  }

/** Seed: rk8s-libvault, join steps 11 to 17, as the control plane sees them. */
export function createJoins({ keys, clock, step, vault, fingerprints, registrations, checks, late }: Ports): Joins {
  const [skewOf, toServer] = [skewBy(clock), serverBy(fingerprints)]
  const { registrar } = registrations
  const kidIn = (statement: string): string | undefined => {
    const stated = verifyStatement(keys, statement)
    return stated.accepted ? stated.kid : undefined
  }
  /** Nobody is told that it joined before everybody can know of it. */
  const told = async (
    host: string, enrolled: Enrolled, skewMs: number, there?: { readonly found: There | undefined },
  ): Promise<JoinAnswer> => {
    const { serial, certificate, chain, roots, notBefore, notAfter, document: made } = enrolled
    const first = there && made !== undefined ? { document: made, there: there.found } : undefined
    const document = await registrations.settle(host, first).catch((error: unknown) => {
      late()
      throw error
    })
    if (document === undefined) throw new JoinRefused('The host was revoked meanwhile', { reason: 'revoked' })
    return { serial, certificate, chain, roots, notBefore, notAfter, skewMs, document, ...await registrations.told() }
  }
  type Asked = Pick<Infer<typeof RenewRequest>, 'csr' | 'device' | 'proof'> & { readonly serial?: string }
  const renewal = async (now: number, host: string, request: Asked): Promise<JoinAnswer> => {
    const skewMs = skewOf(now)
    // What can be refused is refused before a certificate is made. Of who has joined as nobody the vault says so
    await registrations.settle(host).catch((error: unknown) => {
      if (!isNotJoined(error)) throw error
    })
    return await told(host, await toServer((server) =>
      vault.renewEnrolment({ ...request, host, server, skewMs: Math.max(0, skewMs), registrar })), skewMs)
  }

  return {
    async join(request, { remoteAddress: address }) {
      const { token, host, csr, device, proof, now } = request
      const skewMs = skewOf(now)
      const csrHash = fingerprint(keys, new TextEncoder().encode(csr))
      step(JOIN_SEQUENCE, joinStep.requestReceived, { host, address, csr: csrHash })
      const known = await vault.checkJoinToken({ token, host })
      const found = await registrations.demandFree(host)
      step(JOIN_SEQUENCE, joinStep.tokenGood, { host, jti: known.id, expiresAt: known.expiresAt })
      const rules: string[] = []
      const attempt = { token: known, host, address, device: () => kidIn(device) }
      for (const { name, check } of checks) rules.push(`${name}: ${await check(attempt)}`)
      step(JOIN_SEQUENCE, joinStep.addressChecked, { host, address, rules: rules.join(', ') })
      const enrolled = await toServer((server) =>
        vault.enrol({ token, host, csr, device, proof, server, skewMs: Math.max(0, skewMs), registrar }))
      const { serial, device: kid, retried } = enrolled
      step(JOIN_SEQUENCE, joinStep.certificateReceived, { host, serial, device: kid, jti: known.id, retried })
      return await told(host, enrolled, skewMs, { found })
    },
    async renew({ csr, device, proof, now }, { name, serial, role }) {
      if (role === 'ood') throw new JoinRefused('Nobody renews here who joined by no token', { reason: 'host' })
      return await renewal(now, name, { serial, csr, device, proof })
    },
    renewAgain: ({ host, csr, device, proof, now }) => renewal(now, host, { csr, device, proof }),
  }
}
