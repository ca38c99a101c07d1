import { fingerprint, joinAlpn, JoinHello, joinPath } from '../../actors/join-protocol.ts'
import { joinStep } from '../../actors/join-steps.ts'
import { readRootSet } from '../../actors/root-set.ts'
import { TlsNotTrusted, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { ClockSkew, ServerNotTrusted } from '../errors.ts'
import { ask, serverOf } from './ask.ts'
import { tlsFailure } from './failures.ts'
import type { JoinOptions } from './join-client.ts'

export interface Met {
  readonly zone: string
  /** DER of its certificate. */
  readonly server: Uint8Array
  readonly skewMs: number
  readonly roots: readonly string[]
}

/** Steps 8 to 10: a server that a root of ours, or a set of roots by an anchor of ours, stands for. */
export async function meet(options: JoinOptions): Promise<Met> {
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
      onStep(joinStep.serverCertificateReceived, {
        serial: serialText(certificate.serial), subject: displayName(certificate.subject),
        identity: identitiesOf(certificate).join(' '),
      })
      demandControlPlane(certificate, given.zone)
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

const identitiesOf = ({ extensions: { names = [] } }: Certificate): readonly string[] =>
  names.filter(({ type }) => type === 'uri').map(({ value }) => value)

/** A node has a certificate by the same root, and is not to be taken for the control plane. @throws TlsNotTrusted */
export function demandControlPlane(certificate: Certificate, zone: string | undefined): void {
  const uris = identitiesOf(certificate)
  if (uris.some((uri) => isControlPlane(uri, zone))) return
  throw new TlsNotTrusted(`What answers is no control plane of the zone: ${uris.join(' ') || 'no identity'}`, {
    reason: 'wrong-name',
  })
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
