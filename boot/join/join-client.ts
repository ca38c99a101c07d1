import { safeParse } from 'valibot'
import {
  fingerprint, hostAlpn, joinAlpn, JoinAnswer, JoinHello, joinPath, signProof, signStatement, WhoAmI,
} from '../../actors/join-protocol.ts'
import { joinStep } from '../../actors/join-steps.ts'
import { askForCertificate, takeCertificate, type CertificateAsked } from '../../actors/host-certificate.ts'
import { readRootSet } from '../../actors/root-set.ts'
import type { Evidence } from '../../runtime/actor.ts'
import { TlsNotTrusted, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpCall, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import type { TlsCall, TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { ClockSkew, NotAZone, ServerNotTrusted } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import { answerFailure, isPassing, lastFailure, tlsFailure } from './failures.ts'
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
  readonly tls: TlsPair
  /** PEM of the roots that the control plane is trusted by from now on. */
  readonly roots: readonly string[]
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  /** Milliseconds by which this clock is behind that of the control plane; negative when it is ahead. */
  readonly skewMs: number
}

const encoder = new TextEncoder()

/** Joins a zone (seed: rk8s-libvault, join steps 6 to 18). @throws what is in `boot/errors`, each with the next step */
export async function join(options: JoinOptions): Promise<Joined> {
  const { platform: { keys }, onStep, host, given, roots } = options
  const [rootFingerprint = 'by anchor'] = roots.map((pem) => fingerprint(keys, decodePem(pem, 'CERTIFICATE')))
  onStep(joinStep.hostConfigured, { host, jti: given.token.split('_')[1] ?? '', root: rootFingerprint })
  const asked = await askForCertificate(options.platform, host)
  onStep(joinStep.requestMade, { host, csr: fingerprint(keys, encoder.encode(asked.csr)), key: asked.key.public.type })
  return await retrying(options, () => joinOnce(options, asked))
}

/** The next certificate, for a new key, by the certificate that it follows. */
export async function renew(options: JoinOptions, before: Joined): Promise<Joined> {
  const asked = await askForCertificate(options.platform, options.host)
  return await retrying(options, () => renewOnce(options, before, asked))
}

async function retrying<T>(options: JoinOptions, once: () => Promise<T>): Promise<T> {
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
  const { platform: { keys, clock }, host, given, device, onStep } = options
  const { csr } = asked
  const met = await meet(options)
  const { zone, server, skewMs, roots } = met
  const iat = Math.floor(clock.now() / 1_000)
  const proof = signProof(keys, device, { token: given.token, csr, server: fingerprint(keys, server) })
  const statement = signStatement(device, { zone, name: host, role: 'node', key: device.public.jwk, iat })
  const request = { token: given.token, host, csr, device: statement, proof, now: clock.now() }
  const same = (certificate: Uint8Array): void => {
    if (!sameBytes(certificate, server)) {
      throw new Unavailable('Another certificate answers than a moment ago')
    }
  }
  onStep(joinStep.requestReceived, { host, csr: fingerprint(keys, encoder.encode(csr)), device: device.public.kid })
  const tls = { roots, alpn: joinAlpn, check: same }
  const answer = await ask(options, JoinAnswer, 'POST', joinPath.request, request, tls)
  const joined = accept(options, zone, roots, asked, answer, skewMs)
  onStep(joinStep.certificateGiven, { host, serial: joined.serial, notAfter: joined.notAfter, skewMs })
  const me = await whoami(options, joined)
  onStep(joinStep.mutualTls, { host: me.host, serial: me.serial, role: me.role })
  return joined
}

async function renewOnce(options: JoinOptions, before: Joined, asked: CertificateAsked): Promise<Joined> {
  const { platform: { keys, clock }, host, device } = options
  const { zone, roots, serial, tls } = before
  const { csr } = asked
  let server: Uint8Array | undefined
  const call: TlsCall = { roots, alpn: hostAlpn, client: tls, check: (certificate) => { server = certificate } }
  await ask(options, WhoAmI, 'GET', joinPath.whoami, undefined, call)
  const iat = Math.floor(clock.now() / 1_000)
  const proof = signProof(keys, device, { token: serial, csr, server: fingerprint(keys, server!) })
  const statement = signStatement(device, { zone, name: host, role: 'node', key: device.public.jwk, iat })
  const request = { csr, device: statement, proof, now: clock.now() }
  const answer = await ask(options, JoinAnswer, 'POST', joinPath.renew, request, call)
  return accept(options, zone, roots, asked, answer, answer.skewMs)
}

/** Proof that the certificate is taken: whom the control plane takes this host for. */
export async function whoami(
  options: JoinOptions, { host, serial, roots, tls }: Joined,
): Promise<Infer<typeof WhoAmI>> {
  const me = await ask(options, WhoAmI, 'GET', joinPath.whoami, undefined, { roots, alpn: hostAlpn, client: tls })
  if (me.host !== host || me.serial !== serial) {
    throw new NotAZone(`The control plane takes this host for ${me.host} (${me.serial})`)
  }
  return me
}

interface Met {
  readonly zone: string
  /** DER of its certificate. */
  readonly server: Uint8Array
  readonly skewMs: number
  readonly roots: readonly string[]
}

/** Steps 8 to 10: a server that a root of ours, or a set of roots by an anchor of ours, stands for. */
async function meet(options: JoinOptions): Promise<Met> {
  const { given, roots, onStep } = options
  try {
    return await hello(options, roots)
  } catch (error) {
    if (!(error instanceof TlsNotTrusted)) throw error
    const { reason } = error.details
    if (reason === 'not-yet-valid' || reason === 'expired') throw await clockFailure(options, error)
    const anchors = given.anchors ?? []
    if (reason !== 'unknown-authority' || anchors.length === 0) throw tlsFailure(error, serverOf(options))
    // The root has changed since: whoever answers shows what the anchor signed, and is trusted by nothing else
    const newer = rootsIn(options, (await unverifiedHello(options)).roots)
    if (!newer) throw tlsFailure(error, serverOf(options))
    onStep(joinStep.hostConfigured, { host: options.host, roots: newer.length, by: 'anchor' })
    return await hello(options, newer)
  }
}

async function hello(options: JoinOptions, roots: readonly string[]): Promise<Met> {
  const { platform: { clock, keys }, given, host, onStep } = options
  let server: Uint8Array | undefined
  onStep(joinStep.tlsAsked, { host, address: serverOf(options) })
  const before = clock.now()
  const told = await ask(options, JoinHello, 'GET', joinPath.hello, undefined, {
    roots, alpn: joinAlpn,
    check(der) {
      const certificate = parseCertificate(der)
      const uris = (certificate.extensions.names ?? []).filter(({ type }) => type === 'uri').map(({ value }) => value)
      onStep(joinStep.serverCertificateReceived, {
        serial: serialText(certificate.serial), subject: displayName(certificate.subject), identity: uris.join(' '),
      })
      // A node has a certificate by the same root, and is not to be taken for the control plane
      if (!uris.some((uri) => isControlPlane(uri, given.zone))) {
        throw new TlsNotTrusted(`What answers is no control plane of the zone: ${uris.join(' ') || 'no identity'}`, {
          reason: 'wrong-name',
        })
      }
      server = der
      onStep(joinStep.serverTrusted, { server: fingerprint(keys, der) })
    },
  })
  const skewMs = told.now - Math.round((before + clock.now()) / 2)
  if (Math.abs(skewMs) > limits.joinSkewMs) throw skewed(skewMs, 'the clock of the control plane')
  if (given.zone !== undefined && told.zone !== given.zone) {
    throw new ServerNotTrusted(`The token is for the zone ${given.zone}, and ${told.zone} answers`)
  }
  return { zone: told.zone, server: server!, skewMs, roots: rootsIn(options, told.roots) ?? roots }
}

/** `spiffe://{zone}/ood/{host}` */
function isControlPlane(uri: string, zone: string | undefined): boolean {
  const [scheme, , of = '', kind, name, more] = uri.split('/')
  return scheme === 'spiffe:' && kind === 'ood' && !!name && more === undefined && of === (zone ?? of)
}

/** PEM of the roots in a set that an anchor of ours signed; undefined where there is none to go by. */
function rootsIn({ platform: { keys, clock }, given }: JoinOptions, document: string | undefined) {
  const { anchors = [], zone = '', rootsVersion: versionMin = 0 } = given
  if (document === undefined) return undefined
  for (const anchor of anchors) {
    const verdict = readRootSet(keys, document, { zone, anchor, now: clock.now(), versionMin })
    if (verdict.accepted) return verdict.set.roots
  }
  return undefined
}

const unverifiedHello = (options: JoinOptions): Promise<Infer<typeof JoinHello>> =>
  ask(options, JoinHello, 'GET', joinPath.hello, undefined, { roots: 'anybody', alpn: joinAlpn })

/** A certificate that is out of its time may as well be a clock that is: the server is asked for its own, to tell. */
async function clockFailure(options: JoinOptions, error: ZonewrightError): Promise<Error> {
  const { clock } = options.platform
  const before = clock.now()
  const told = await unverifiedHello(options).catch(() => undefined)
  const skewMs = told ? told.now - before : 0
  return Math.abs(skewMs) > limits.joinSkewMs
    ? skewed(skewMs, 'the clock of the server, which cannot be verified before')
    : tlsFailure(error, serverOf(options))
}

const skewed = (skewMs: number, than: string): Error => {
  const seconds = Math.round(Math.abs(skewMs) / 1_000)
  return new ClockSkew(`The clock of this machine is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} ${than}`, {
    skewMs, next: 'Set it, by NTP for example, and join again',
  })
}

/** @throws NotAZone, CertificateDistrusted */
function accept(
  { platform, host }: JoinOptions, zone: string, roots: readonly string[], asked: CertificateAsked, answer: JoinAnswer,
  skewMs: number,
): Joined {
  const taken = takeCertificate(platform, asked, answer, { zone, host, roots, skewMs })
  if (!taken) throw new NotAZone('The certificate that was given is for another key or host')
  const { tls, serial, notBefore, notAfter } = taken
  return { zone, host, roots, serial, notBefore, notAfter, skewMs, tls }
}

const serverOf = ({ hostname, port }: JoinOptions): string => `${hostname}:${port}`

async function ask<S extends Schema>(
  { platform: { transport }, hostname, port, signal, attemptMs }: JoinOptions, schema: S, method: string, path: string,
  body: unknown, tls: TlsCall,
): Promise<Infer<S>> {
  const call: HttpCall = {
    hostname, port, method, path, tls, signal, withinMs: attemptMs, bytesMax: ANSWER_BYTES_MAX,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? '' : JSON.stringify(body),
  }
  const { status, body: pieces } = await transport.request(call)
  const bytes: number[] = []
  for await (const piece of pieces) for (const byte of piece) bytes.push(byte)
  const value = parseJson(Uint8Array.from(bytes))
  if (status !== 200) throw answerFailure(status, (value ?? {}) as object)
  const parsed = safeParse(schema, value)
  if (!parsed.success) throw new NotAZone(`What answers at ${hostname}:${port} is no zone of ours`)
  return parsed.output
}

const ANSWER_BYTES_MAX = 256 * 1_024
