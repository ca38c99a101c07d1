import { fingerprint, joinAlpn, JoinHello, joinPath } from '../../actors/join-protocol.ts'
import { joinStep } from '../../actors/join-steps.ts'
import { readRootSet } from '../../actors/root-set.ts'
import { TlsNotTrusted, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { ClockSkew, ServerNotTrusted } from '../errors.ts'
import { askingOf, serverOf, withServer, type Asking } from './ask.ts'
import { tlsFailure } from './failures.ts'
import type { JoinOptions } from './join-client.ts'

export interface Met {
  readonly zone: string
  /** DER of its certificate. */
  readonly server: Uint8Array
  readonly skewMs: number
  readonly roots: readonly string[]
  /** By the connection that it was met by, where these roots stand for that as well. */
  readonly asking: Asking
}

/** Meets the control plane, and asks what there is to ask. @throws what is in `boot/errors` */
export async function meeting<T>(options: JoinOptions, use: (met: Met) => Promise<T>): Promise<T> {
  const met = await meet(options)
  try {
    return await use(met)
  } finally {
    met.asking.close()
  }
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
  const asking = await askingOf(options, {
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
  try {
    const told = await asking.ask(JoinHello, 'GET', joinPath.hello)
    const skewMs = told.now - Math.round((before + clock.now()) / 2)
    if (Math.abs(skewMs) > limits.joinSkewMs) throw skewed(skewMs, 'the clock of the control plane')
    if (given.zone !== undefined && told.zone !== given.zone) {
      throw new ServerNotTrusted(`The token is for the zone ${given.zone}, and ${told.zone} answers`)
    }
    const met = { zone: told.zone, server: server!, skewMs, roots: rootsIn(options, told.roots) ?? roots }
    if (roots.every((root) => met.roots.includes(root))) return { ...met, asking }
    // A root that holds no more may have been what it was trusted by: by those that hold it is judged anew
    asking.close()
    const again = { roots: met.roots, alpn: joinAlpn, check: sameServer(met.server) }
    return { ...met, asking: await askingOf(options, again) }
  } catch (error) {
    asking.close()
    throw error
  }
}

const sameServer = (server: Uint8Array) => (certificate: Uint8Array): void => {
  if (!sameBytes(certificate, server)) throw new Unavailable('Another certificate answers than a moment ago')
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
  withServer(options, { roots: 'anybody', alpn: joinAlpn }, ({ ask }) => ask(JoinHello, 'GET', joinPath.hello))

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
