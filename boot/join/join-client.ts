import { askForCertificate, takeCertificate, type CertificateAsked } from '../../actors/host-certificate.ts'
import {
  fingerprint, hostAlpn, JoinAnswer, joinPath, renewalOf, signProof, signStatement, WhoAmI,
} from '../../actors/join-protocol.ts'
import type { DeviceRole } from '../../actors/records.ts'
import { joinStep } from '../../actors/join-steps.ts'
import type { Evidence } from '../../runtime/actor.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform, PublicJwk, SigningKey } from '../../runtime/platform/ports.ts'
import type { TlsCall, TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { JoinNotAllowed, JoinTokenUsed, NotAZone } from '../errors.ts'
import { withServer } from './ask.ts'
import { isPassing, lastFailure } from './failures.ts'
import { demandControlPlane, meeting, type Met } from './meet.ts'
import { readStanding, type HostStanding } from './standing.ts'
import type { GivenToken } from './token-file.ts'

export interface JoinOptions {
  readonly platform: Pick<Platform, 'clock' | 'keys' | 'random' | 'transport'>
  readonly hostname: string
  readonly port: number
  readonly given: GivenToken
  readonly host: string
  /** PEM: the roots that were given beside the token. */
  readonly roots: readonly string[]
  /** Who this host is, for as long as it is one of the zone. */
  readonly device: SigningKey
  /** Attempts before it gives up, and milliseconds of each request. */
  readonly attempts: number
  readonly attemptMs: number
  readonly signal: AbortSignal
  readonly onStep: (number: number, evidence: Evidence) => void
  /** An attempt failed, and there is another. */
  readonly onRetry: (error: Error, waitMs: number) => void
}

/** A host of the zone. All of it is in memory, and nowhere else. */
export interface Joined {
  readonly zone: string
  readonly host: string
  readonly role: DeviceRole
  readonly tls: TlsPair
  /** PEM of the roots that the control plane is trusted by from now on. */
  readonly roots: readonly string[]
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  /** Milliseconds by which this clock is behind that of the control plane; negative when it is ahead. */
  readonly skewMs: number
  /** By what it judges the other hosts of the zone from now on. */
  readonly standing: HostStanding
}

/** As the token says; one without its file is of a node. */
const roleOf = ({ given }: Pick<JoinOptions, 'given'>): DeviceRole => given.role ?? 'node'

const encoder = new TextEncoder()

/** Joins a zone (seed: rk8s-libvault, join steps 6 to 18). @throws what is in `boot/errors`, each with the next step */
export async function join(options: JoinOptions): Promise<Joined> {
  const { platform: { keys }, onStep, host, given, roots } = options
  const [rootFingerprint = 'by anchor'] = roots.map((pem) => fingerprint(keys, decodePem(pem, 'CERTIFICATE')))
  onStep(joinStep.hostConfigured, { host, jti: given.token.split('_')[1] ?? '', root: rootFingerprint })
  const asked = await askForCertificate(options.platform, options.host)
  onStep(joinStep.requestMade, { host, csr: fingerprint(keys, encoder.encode(asked.csr)), key: asked.key.public.type })
  try {
    return await retrying(options, () => joinOnce(options, asked))
  } catch (error) {
    if (!(error instanceof JoinTokenUsed)) throw error
    return await finish(options, error)
  }
}

/** A join that ended between the zone's transaction and its answer: the token is used, by this very device key. */
async function finish(options: JoinOptions, used: Error): Promise<Joined> {
  const { onStep, host } = options
  // Of another device's token the zone says so: then the token is what is wrong
  const joined = await renewAgain(options, options.given.owner).catch((error: unknown) => {
    throw error instanceof JoinNotAllowed ? used : error
  })
  onStep(joinStep.certificateGiven, { host, serial: joined.serial, notAfter: joined.notAfter, skewMs: joined.skewMs })
  const me = await retrying(options, () => whoami(options, joined))
  onStep(joinStep.mutualTls, { host: me.host, serial: me.serial, role: me.role })
  return joined
}

/** The next certificate, for a new key, by the certificate that it follows. */
export async function renew(options: JoinOptions, before: Joined): Promise<Joined> {
  const asked = await askForCertificate(options.platform, options.host)
  return await retrying(options, () => renewOnce(options, before, asked))
}

export async function retrying<T>(options: JoinOptions, once: () => Promise<T>): Promise<T> {
  const { platform: { clock, random }, attempts, signal, onRetry } = options
  const server = `${options.hostname}:${options.port}`
  for (let attempt = 1; ; attempt++) {
    try {
      return await once()
    } catch (error) {
      if (!isPassing(error) || attempt >= attempts || signal.aborted) throw lastFailure(error, server, attempt)
      const asked = error instanceof ZonewrightError ? Number(error.details['retryMs'] ?? 0) : 0
      const waitMs = Math.max(asked, backoffMs(random, attempt - 1, RETRY))
      onRetry(error as Error, waitMs)
      await pause(clock, waitMs, signal)
    }
  }
}

const RETRY = { min: limits.joinRetryMsMin, max: limits.joinRetryMsMax }

async function joinOnce(options: JoinOptions, asked: CertificateAsked): Promise<Joined> {
  const joined = await meeting(options, (met) => joinBy(options, met, asked))
  const me = await whoami(options, joined)
  options.onStep(joinStep.mutualTls, { host: me.host, serial: me.serial, role: me.role })
  return joined
}

async function joinBy(options: JoinOptions, met: Met, asked: CertificateAsked): Promise<Joined> {
  const { platform: { keys, clock }, host, given, device, onStep } = options
  const { csr } = asked
  const { zone, server, skewMs, roots, asking } = met
  const iat = Math.floor(clock.now() / 1_000)
  const proof = signProof(keys, device, { token: given.token, csr, server: fingerprint(keys, server) })
  const statement = signStatement(device, { zone, name: host, role: roleOf(options), key: device.public.jwk, iat })
  const request = { token: given.token, host, csr, device: statement, proof, now: clock.now() }
  onStep(joinStep.requestReceived, { host, csr: fingerprint(keys, encoder.encode(csr)), device: device.public.kid })
  const answer = await asking.ask(JoinAnswer, 'POST', joinPath.request, request)
  const joined = accept(options, { zone, roots }, asked, answer, skewMs)
  onStep(joinStep.certificateGiven, { host, serial: joined.serial, notAfter: joined.notAfter, skewMs })
  return joined
}

async function renewOnce(options: JoinOptions, before: Joined, asked: CertificateAsked): Promise<Joined> {
  const { platform: { keys, clock }, host, device } = options
  const { zone, roots, serial, tls, standing } = before
  const { csr } = asked
  let server: Uint8Array | undefined
  const call: TlsCall = {
    roots, alpn: hostAlpn, client: tls,
    check(certificate) {
      demandControlPlane(parseCertificate(certificate), zone)
      server = certificate
    },
  }
  const answer = await withServer(options, call, async (asking) => {
    await asking.ask(WhoAmI, 'GET', joinPath.whoami)
    const iat = Math.floor(clock.now() / 1_000)
    const proof = signProof(keys, device, { token: serial, csr, server: fingerprint(keys, server!) })
    const statement = signStatement(device, { zone, name: host, role: roleOf(options), key: device.public.jwk, iat })
    const request = { csr, device: statement, proof, now: clock.now() }
    return asking.ask(JoinAnswer, 'POST', joinPath.renew, request)
  })
  return accept(options, { zone, roots, owner: standing.zone.root }, asked, answer, answer.skewMs)
}

/** As a host that joined before, by its device key: after a restart, or when its certificate has ended. */
export async function renewAgain(options: JoinOptions, owner?: PublicJwk): Promise<Joined> {
  const asked = await askForCertificate(options.platform, options.host)
  return await retrying(options, () => meeting(options, (met) => renewAgainBy(options, met, asked, owner)))
}

async function renewAgainBy(
  options: JoinOptions, { zone, server, skewMs, roots, asking }: Met, asked: CertificateAsked,
  owner: PublicJwk | undefined,
): Promise<Joined> {
  const { platform: { keys, clock }, host, device } = options
  const { csr } = asked
  const iat = Math.floor(clock.now() / 1_000)
  const proof = signProof(keys, device, { token: renewalOf(zone, host), csr, server: fingerprint(keys, server) })
  const statement = signStatement(device, { zone, name: host, role: roleOf(options), key: device.public.jwk, iat })
  const request = { host, csr, device: statement, proof, now: clock.now() }
  const answer = await asking.ask(JoinAnswer, 'POST', joinPath.again, request)
  return accept(options, { zone, roots, ...(owner ? { owner } : {}) }, asked, answer, skewMs)
}

/** Proof that the certificate is taken: whom the control plane takes this host for. */
export async function whoami(
  options: JoinOptions, { zone, host, serial, roots, tls }: Joined,
): Promise<Infer<typeof WhoAmI>> {
  const check = (der: Uint8Array): void => demandControlPlane(parseCertificate(der), zone)
  const call = { roots, alpn: hostAlpn, client: tls, check }
  const me = await withServer(options, call, ({ ask }) => ask(WhoAmI, 'GET', joinPath.whoami))
  if (me.host !== host || me.serial !== serial) {
    throw new NotAZone(`The control plane takes this host for ${me.host} (${me.serial})`)
  }
  return me
}

interface Accepting {
  readonly zone: string
  /** PEM of the roots that a certificate may end at. */
  readonly roots: readonly string[]
  /** The owner key, where it is known. */
  readonly owner?: PublicJwk
}

/** @throws NotAZone, CertificateDistrusted */
function accept(
  options: JoinOptions, { zone, roots, owner }: Accepting, asked: CertificateAsked,
  answer: JoinAnswer, skewMs: number,
): Joined {
  const { platform, host, device, given } = options
  const role = roleOf(options)
  const taken = takeCertificate(platform, asked, answer, { zone, host, role, roots, skewMs })
  if (!taken) throw new NotAZone('The certificate that was given is for another key or host')
  const { tls, serial, notBefore, notAfter } = taken
  const known = { zone, host, role, key: device.public.jwk, owner: owner ?? given.owner }
  return {
    zone, host, role, roots, serial, notBefore, notAfter, skewMs, tls,
    standing: readStanding(platform.keys, answer, known),
  }
}
