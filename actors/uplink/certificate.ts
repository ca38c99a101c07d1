import { looseObject, safeParse } from 'valibot'
import { fromWire, InvalidResult, LimitExceeded, Unavailable } from '../../runtime/errors.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import type { TlsCall } from '../../runtime/platform/tls-ports.ts'
import { optional, string, type Infer, type Schema } from '../../runtime/protocol.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePems } from '../../runtime/x509/pem.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { askForCertificate, takeCertificate, type CertificateAsked, type HostCertificate } from '../host-certificate.ts'
import {
  fingerprint, hostAlpn, joinAlpn, JoinAnswer, JoinHello, joinPath, renewalOf, signProof, signStatement, WhoAmI,
} from '../join-protocol.ts'
import type { Server } from '../host-identity.ts'
import type { DeviceRole } from '../records.ts'
import type { UplinkTrust } from './trust.ts'

export interface CertificatePorts {
  readonly start: Pick<ActorStart, 'keys' | 'clock' | 'random' | 'transport' | 'self' | 'stopping'>
  readonly device: SigningKey
  readonly trust: UplinkTrust
  /** As it joined. */
  readonly role: DeviceRole
  /** Told of what came with each certificate. */
  readonly onAnswer?: (answer: JoinAnswer) => Promise<void>
}

/** The certificate of this host, by its device key: asked for anew without one, renewed by the one that it has. */
export interface Certificates {
  /** Without a certificate: one that was lost, or has ended. @throws JoinRefused, Unavailable, TlsNotTrusted */
  again(server: Server): Promise<HostCertificate>
  /** @throws the same */
  next(server: Server, before: HostCertificate, signal?: AbortSignal): Promise<HostCertificate>
}

/** As it was handed over by who has just joined. @throws InvalidArgument */
export function certificateFrom(
  { keys }: Pick<ActorStart, 'keys'>, certificate: string, keyPem: string,
): HostCertificate {
  const chain = decodePems(certificate, 'CERTIFICATE', CHAIN_MAX)
  const { serial, notBefore, notAfter } = parseCertificate(chain[0]!)
  return {
    tls: { certificate, key: keyPem }, key: keys.certificates.importPem(keyPem), chain, serial: serialText(serial),
    notBefore, notAfter,
  }
}

const CHAIN_MAX = 4
const ANSWER_BYTES_MAX = 256 * 1_024
/** More may come with it: by how much a clock is off, when to ask again. */
const Refusal = looseObject({ error: string(), code: string(), reason: optional(string()) })

export function createCertificates({ start, device, trust, role, onAnswer }: CertificatePorts): Certificates {
  const { keys, clock, random, transport, self: { zone, host }, stopping } = start

  const ask = async <S extends Schema>(
    { hostname, port }: Server, schema: S, method: string, path: string, body: unknown, tls: TlsCall,
    signal?: AbortSignal,
  ): Promise<Infer<S>> => {
    const { status, body: pieces } = await transport.request({
      hostname, port, method, path, tls, withinMs: limits.uplinkAttemptMs,
      signal: signal ? AbortSignal.any([stopping, signal]) : stopping,
      bytesMax: ANSWER_BYTES_MAX, headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? '' : JSON.stringify(body),
    })
    const value = await read(pieces)
    if (status !== 200) {
      const refused = safeParse(Refusal, value)
      if (!refused.success) throw new Unavailable(`The control plane answers ${status}`)
      const { error, code, reason } = refused.output
      throw fromWire({ code, message: error, details: reason === undefined ? {} : { reason } })
    }
    const parsed = safeParse(schema, value)
    if (!parsed.success) throw new InvalidResult('The control plane answers in another language')
    return parsed.output
  }
  let pending: CertificateAsked | undefined
  /** Sees to it that the same control plane answers all of one exchange, and says by what certificate. */
  const toOod = (alpn: string, client?: HostCertificate) => {
    let seen = ''
    const tls: TlsCall = {
      roots: trust.roots, alpn, ...(client ? { client: client.tls } : {}),
      check(certificate) {
        trust.oodOf(certificate)
        const print = fingerprint(keys, certificate)
        if (seen !== '' && seen !== print) throw new Unavailable('Another certificate answers than a moment ago')
        seen = print
      },
    }
    return { tls, seen: () => seen }
  }
  const exchange = async (
    server: Server, path: string, token: string, { tls, seen }: ReturnType<typeof toOod>, more: object,
    signal?: AbortSignal,
  ): Promise<HostCertificate> => {
    // An answer that was lost is given again for the same request; another request is another certificate
    const asked = pending ??= await askForCertificate({ keys, random }, host)
    const { csr } = asked
    const iat = Math.floor(clock.now() / 1_000)
    const answer = await ask(server, JoinAnswer, 'POST', path, {
      ...more, csr, now: clock.now(), proof: signProof(keys, device, { token, csr, server: seen() }),
      device: signStatement(device, { zone, name: host, role, key: device.public.jwk, iat }),
    }, tls, signal)
    const { skewMs } = answer
    const taken = takeCertificate({ keys, clock }, asked, answer, { zone, host, role, roots: trust.roots, skewMs })
    pending = undefined
    if (!taken) throw new InvalidResult('The certificate that was given is for another key or host')
    await onAnswer?.(answer)
    return taken
  }
  return {
    async again(server) {
      const by = toOod(joinAlpn)
      await ask(server, JoinHello, 'GET', joinPath.hello, undefined, by.tls)
      return exchange(server, joinPath.again, renewalOf(zone, host), by, { host })
    },
    async next(server, before, signal) {
      const by = toOod(hostAlpn, before)
      await ask(server, WhoAmI, 'GET', joinPath.whoami, undefined, by.tls, signal)
      return exchange(server, joinPath.renew, before.serial, by, {}, signal)
    },
  }
}

async function read(pieces: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const piece of pieces) {
    chunks.push(piece)
    size += piece.length
    if (size > ANSWER_BYTES_MAX) throw new LimitExceeded('The answer is too long')
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
