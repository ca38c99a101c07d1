import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import {
  fingerprint, identityOf, proofHolds, renewalOf, verifyStatement, type DeviceStatement,
} from '../../join-protocol.ts'
import type { DeviceRole } from '../../records.ts'
import type { Change } from '../barrier.ts'
import { certificatePem } from '../pki/authority-record.ts'
import { certificatePath, type FoundCertificate } from '../pki/certificates.ts'
import type { Pki } from '../pki/pki.ts'
import { refused } from '../pki/refused.ts'
import { readSerial, serialText } from '../pki/serials.ts'
import { checkedRequest } from '../pki/issue.ts'
import type { Issued } from '../pki/keep.ts'
import { JoinRefused, type Enrolled, type JoinRefusal, type Registrar } from '../protocol.ts'
import { joinPaths, StoredHost, type StoredToken, isEnrolled } from './records.ts'
import { documentMaker, type Registering } from './register.ts'
import type { FoundToken, JoinPorts, JoinTokens } from './tokens.ts'

export interface EnrolAsked {
  readonly token: string
  readonly host: string
  readonly csr: string
  readonly device: string
  readonly proof: string
  /** Fingerprint of the certificate that the listener showed. */
  readonly server: string
  readonly skewMs?: number | undefined
  readonly registrar?: Registrar | undefined
}

export type RenewAsked = Omit<EnrolAsked, 'token'> & {
  /** Of the certificate that is shown now; without one the device key alone speaks for the host. */
  readonly serial?: string | undefined
}

export interface Enrolling {
  /** @throws JoinRefused, CertificateRefused */
  enrol(asked: EnrolAsked): Promise<Enrolled>
  /** @throws JoinRefused, CertificateRefused */
  renew(asked: RenewAsked): Promise<Enrolled>
}

interface EnrolPorts extends JoinPorts {
  readonly zone: string
  readonly tokens: JoinTokens
  readonly pki: Pki
  readonly signer: Registering['signer']
}

/** Somebody was faster with this token, or has changed the certificate of this host: it is judged anew. */
class Overtaken extends Error {}

export function createEnrolling({ barrier, keys, clock, zone, tokens, pki, signer }: EnrolPorts): Enrolling {
  const registering = { zone, clock, signer }
  const refuse = (reason: JoinRefusal, message: string): Error => new JoinRefused(message, { reason })

  /** Who asks: the device that the statement names, which has signed this very request. */
  const deviceOf = (
    { host, csr, device, proof, server }: Omit<EnrolAsked, 'token'>, token: string, role: DeviceRole,
  ): { readonly statement: DeviceStatement; readonly kid: string } => {
    const verdict = verifyStatement(keys, device)
    if (!verdict.accepted) throw refuse('device', 'The statement of the device is not sound')
    const { payload: statement, kid } = verdict
    if (statement.zone !== zone || statement.name !== host || statement.role !== role) {
      throw refuse('device', 'The statement of the device is for another zone, host or role')
    }
    if (!proofHolds(keys, statement.key, proof, { token, csr, server })) {
      throw refuse('proof', 'The device did not sign this request to this server')
    }
    return { statement, kid }
  }
  const digest = (text: string): string => fingerprint(keys, new TextEncoder().encode(text))

  /** For the host and no more: a name or an address that it asks for is somebody's it has not proved to be. */
  const sign = async (
    { host, csr, skewMs }: Pick<EnrolAsked, 'host' | 'csr' | 'skewMs'>, kid: string,
    as: DeviceRole, beside: Parameters<Pki['issuing']['sign']>[4],
  ): Promise<Issued> => {
    const checked = checkedRequest({ keys }, csr)
    const { commonName = host, names } = checked.request
    const identity = identityOf(zone, as, host)
    if (commonName !== host || names.some(({ value }) => value !== identity)) {
      throw refused('name', `The signing request names others than ${host}`)
    }
    const { role, ...use } = await pki.roles.read(as)
    return pki.issuing.sign(checked, { ...use, role: { ...role, use_csr_common_name: false, use_csr_sans: false } }, {
      commonName: host, names: [], skewMs, ttl: limits.joinCertificateSeconds,
    }, { holder: `device:${kid}` }, beside)
  }

  /** The same bytes as the first time, while nothing of it was revoked. @throws JoinRefused */
  const again = async (
    found: FoundToken, used: NonNullable<StoredToken['used']>, host: StoredHost | undefined,
  ): Promise<Enrolled> => {
    if (host?.kid !== used.kid || host.revokedAt !== undefined) {
      throw await tokens.refused(found, 'revoked', 'This host was revoked since')
    }
    const certificate = await pki.certificates.read(used.serial)
    const { stored } = certificate
    if (stored.revokedAt !== undefined) throw await tokens.refused(found, 'revoked', 'Its certificate was revoked')
    const { pem, notBefore, notAfter, serial } = pki.certificates.told(certificate)
    const { roots } = await pki.authorities.fresh()
    return {
      serial, certificate: pem, chain: [...used.chain], roots: [...roots], notBefore, notAfter,
      token: found.id, device: used.kid, retried: true, ...registered(host.document),
    }
  }
  const registered = (document: string | undefined) => (document === undefined ? {} : { document })
  const answer = (
    { key, der, book, notBefore, notAfter }: Issued, token: string, device: string, document: string | undefined,
  ): Enrolled => ({
    serial: serialText(key), certificate: certificatePem(der), chain: [...book.chain], roots: [...book.roots],
    notBefore, notAfter, token, device, retried: false, ...registered(document),
  })
  /** One name, one device: who has it keeps it until it is revoked, and what was given out before that is over then. */
  const demandFree = async (found: FoundToken, host: StoredHost | undefined, kid: string): Promise<void> => {
    if (host === undefined) return
    if (host.revokedAt === undefined) {
      if (host.kid === kid && host.role === found.stored.role) return
      throw await tokens.refused(found, 'taken', 'Another device has joined as this host, and was not revoked')
    }
    // Lines of the policy are given to a client device by its name, and were meant for that one
    if (host.role === 'client-device' && host.kid !== kid) {
      throw await tokens.refused(found, 'owned', 'A client device of this name was revoked: another takes another name')
    }
    if (found.stored.createdAt > host.revokedAt) return
    throw await tokens.refused(found, 'revoked', 'The host was revoked after this join token was made')
  }

  const enrolOnce = async (asked: EnrolAsked): Promise<Enrolled> => {
    const found = await tokens.find(asked.token)
    const { stored } = found
    tokens.demandGood(found, asked.host)
    const role = await tokens.demandEnrolled(found)
    const { statement, kid } = deviceOf(asked, asked.token, role)
    const csr = digest(asked.csr)
    const path = joinPaths.token(found.id)
    const hostPath = joinPaths.host(asked.host)
    const host = await barrier.read(hostPath, StoredHost)
    const standing = await standingOf(host?.value)
    if (stored.used) {
      const isSame = stored.used.kid === kid && stored.used.csr === csr
      if (isSame) return again(found, stored.used, host?.value)
      throw await tokens.refused(found, 'used', stored.used.kid === kid
        ? 'The join token was used by this device for another request' : 'The join token was used by another device')
    }
    await demandFree(found, standing, kid)
    const document = (await documentMaker(registering, asked.registrar, { ...stored, role }))(asked.host, statement.key)
    const before = kept(standing)
    const issued = await sign(asked, kid, role, {
      guards: [{ key: path, modRevision: found.revision }, { key: hostPath, modRevision: host?.revision ?? 0 }],
      changes: ({ key, book, notAfter }): readonly Change[] => {
        const serial = serialText(key)
        const used = { at: clock.now(), device: statement.key, kid, serial, csr, chain: [...book.chain] }
        const joined: StoredHost = {
          format: 1, device: statement.key, kid, role, serial, token: found.id, joinedAt: used.at,
          ...(stored.owner === undefined ? {} : { owner: stored.owner }),
          notAfter, earlier: before, csr, chain: [...book.chain], ...registered(document),
        }
        return [{ path, value: { ...stored, used } }, { path: hostPath, value: joined }]
      },
      async stillHolds() {
        const now = await barrier.read(hostPath, StoredHost)
        if ((await tokens.find(asked.token)).revision !== found.revision || now?.revision !== host?.revision) {
          throw new Overtaken('The join token was changed meanwhile')
        }
      },
    })
    return answer(issued, found.id, kid, document)
  }

  /** Whoever revoked its newest certificate alone has revoked the host: another join does not hide that. */
  const standingOf = async (host: StoredHost | undefined): Promise<StoredHost | undefined> => {
    const key = host && readSerial(host.serial)
    const revokedAt = key === undefined ? undefined : (await pki.certificates.find(key))?.stored.revokedAt
    if (!host || revokedAt === undefined || host.revokedAt !== undefined) return host
    // Whole seconds: a token of the same second may be one of before
    return { ...host, revokedAt: revokedAt + 999 }
  }
  /** Certificates of a host beside its newest that count: a revocation takes them all. */
  const kept = (host: StoredHost | undefined): StoredHost['earlier'] => {
    if (host === undefined || host.revokedAt !== undefined) return []
    const now = clock.now()
    const { serial, notAfter = now + limits.joinCertificateSeconds * 1_000 } = host
    const all = [...host.earlier ?? [], { serial, notAfter }].filter((one) => one.notAfter >= now)
    // Of a host that starts over and over the oldest count no more. No list names them: those would fill it
    return all.slice(-limits.hostCertificates)
  }
  /** @throws Overloaded where the host got as many as it may: `retryMs` until it gets one more */
  const renewals = ({ renewals: before = [] }: StoredHost): number[] => {
    const now = clock.now()
    const recent = before.filter((at) => at <= now && now - at < limits.hostRenewalMs)
    if (recent.length >= limits.hostRenewals) {
      const retryMs = recent[0]! + limits.hostRenewalMs - now
      throw new Overloaded(`The host got ${recent.length} certificates in this hour`, { retryMs })
    }
    return [...recent, now]
  }
  /** The newest once more, where the same request for it is made again while it lives. */
  const sameAgain = async (
    stored: StoredHost, current: FoundCertificate | undefined, csr: string,
  ): Promise<Enrolled | undefined> => {
    if (stored.csr !== csr || !stored.chain || !current || current.stored.notAfter <= clock.now()) return undefined
    const { pem, notBefore, notAfter, serial } = pki.certificates.told(current)
    const { roots } = await pki.authorities.fresh()
    return {
      serial, certificate: pem, chain: [...stored.chain], roots: [...roots], notBefore, notAfter, token: stored.token,
      device: stored.kid, retried: true, ...registered(stored.document),
    }
  }
  /** Its certificate of now, unless that was forgotten. @throws JoinRefused when it may not be followed by another */
  const currentOf = async (host: StoredHost): Promise<FoundCertificate | undefined> => {
    const key = readSerial(host.serial)
    const current = key === undefined ? undefined : await pki.certificates.find(key)
    if (host.revokedAt !== undefined || current?.stored.revokedAt !== undefined) {
      throw refuse('revoked', 'The certificate of this host was revoked')
    }
    const ended = host.notAfter ?? current?.stored.notAfter ?? 0
    const days = Math.floor((clock.now() - ended) / 86_400_000)
    if (clock.now() > ended + limits.joinRenewalSeconds * 1_000) {
      throw refuse('ended', `The certificate of this host ended ${days} days ago: it joins again by a token`)
    }
    return current
  }

  const renewOnce = async (asked: RenewAsked): Promise<Enrolled> => {
    const { host, serial } = asked
    const hostPath = joinPaths.host(host)
    const found = await barrier.read(hostPath, StoredHost)
    // Of a host that is none the key is refused, whatever it says that it is
    const { statement, kid } = deviceOf(asked, serial ?? renewalOf(zone, host), found?.value.role ?? 'node')
    if (!found || found.value.kid !== kid) throw refuse('device', 'This device has not joined as that host')
    if (!isEnrolled(found.value)) throw refuse('role', 'An OOD gets its certificates by its own vault')
    const current = await currentOf(found.value)
    const csr = digest(asked.csr)
    const same = await sameAgain(found.value, current, csr)
    if (same) return same
    const recent = renewals(found.value)
    const document = found.value.document
      ?? (await documentMaker(registering, asked.registrar, found.value))(host, statement.key)
    const earlier = kept(found.value)
    const issued = await sign(asked, kid, found.value.role, {
      // Who is revoked before this is durable gets nothing
      guards: [
        { key: hostPath, modRevision: found.revision },
        ...(current ? [{ key: `${pki.mount}/${certificatePath(current.key)}`, modRevision: current.revision }] : []),
      ],
      changes: ({ key, book, notAfter }) => [{
        path: hostPath, value: {
          ...found.value, device: statement.key, serial: serialText(key), notAfter, earlier, csr,
          chain: [...book.chain], renewals: recent, ...registered(document),
        },
      }],
      async stillHolds() {
        const now = await barrier.read(hostPath, StoredHost)
        if (now?.value.revokedAt !== undefined) throw new Overtaken('The host was revoked meanwhile')
        if (now?.revision !== found.revision) throw refuse('used', 'Another request for this host was faster')
        if (current && (await pki.certificates.find(current.key))?.revision !== current.revision) {
          throw new Overtaken('The certificate of this host was changed meanwhile')
        }
      },
    })
    return answer(issued, found.value.token, kid, document)
  }

  const judged = async (once: () => Promise<Enrolled>): Promise<Enrolled> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once()
      } catch (error) {
        if (!(error instanceof Overtaken) || attempt >= limits.vaultTransactionAttempts) throw error
      }
    }
  }
  return { enrol: (asked) => judged(() => enrolOnce(asked)), renew: (asked) => judged(() => renewOnce(asked)) }
}
