import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { Clock } from '../../platform/ports.ts'
import type { EtcdCredentials } from './connection.ts'

/** Why a member of etcd was not reached, as its client package does not tell: there all of these look alike. */
export type ProbeFault =
  /** Nothing listens there, the name is unknown, or no answer came in time. */
  | 'unreachable'
  /** It listens, and does not speak TLS. */
  | 'no-tls'
  /** Its certificate is not by the authority of the credentials. */
  | 'authority'
  /** Its certificate is for other names. */
  | 'name'
  /** Its certificate has ended, or has not begun. */
  | 'expired'
  /** It did not take our certificate. */
  | 'refused'

export type Probe =
  /** DER of the certificate that it has shown; whether it is this very machine, as far as addresses tell. */
  | { readonly reached: true; readonly certificate: Uint8Array; readonly isHere: boolean }
  | { readonly reached: false; readonly fault: ProbeFault; readonly detail: string }

/** DER of the certificate that a server shows, whoever it is: nothing is sent to it. Undefined when it shows none. */
export function shownBy({ hostname, port, withinMs, clock }: {
  hostname: string
  port: number
  withinMs: number
  clock: Clock
}): Promise<Uint8Array | undefined> {
  return new Promise((settle) => {
    const servername = isIP(hostname) === 0 ? { servername: hostname } : {}
    const socket = connect({ host: hostname, port, ALPNProtocols: ['h2'], rejectUnauthorized: false, ...servername })
    const end = (certificate: Uint8Array | undefined): void => {
      cancel()
      socket.destroy()
      settle(certificate)
    }
    const cancel = clock.after(withinMs, () => end(undefined))
    socket.on('secureConnect', () => {
      const { raw } = socket.getPeerCertificate()
      end(raw && new Uint8Array(raw))
    })
    socket.on('error', () => end(undefined))
    socket.on('close', () => end(undefined))
  })
}

/** RFC 9113 §3.4 and §6.5: a client's first words. A server of TLS 1.3 tells of a certificate it refuses only after. */
const preface = Uint8Array.of(
  ...new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 0, 0, 0, 4, 0, 0, 0, 0, 0,
)

/** One connection to one member, by TLS with both certificates, until it has said something by HTTP/2. Never throws. */
export function probeEtcd({ hostname, port, credentials, withinMs, clock }: {
  hostname: string
  port: number
  credentials: EtcdCredentials
  withinMs: number
  clock: Clock
}): Promise<Probe> {
  return new Promise((settle) => {
    const name = credentials.serverName ?? hostname
    let socket: TLSSocket | undefined
    let isSecure = false
    let certificate = new Uint8Array()
    const end = (probe: Probe): void => {
      cancel()
      socket?.destroy()
      settle(probe)
    }
    const failed = (fault: ProbeFault, detail: string): void => end({ reached: false, fault, detail })
    const cancel = clock.after(withinMs, () => failed('unreachable', `no answer within ${withinMs} ms`))
    try {
      socket = connect({
        host: hostname, port, ALPNProtocols: ['h2'],
        ca: credentials.authority, cert: credentials.certificate, key: credentials.key,
        ...(isIP(name) === 0 && { servername: name }),
      })
    } catch (error) {
      return failed('refused', textOf(error))
    }
    socket.on('secureConnect', () => {
      isSecure = true
      certificate = new Uint8Array(socket!.getPeerCertificate().raw ?? [])
      socket!.write(preface)
    })
    socket.on('data', () => {
      const { localAddress, remoteAddress } = socket!
      end({ reached: true, certificate, isHere: localAddress !== undefined && localAddress === remoteAddress })
    })
    socket.on('error', (error) => failed(faultOf(error, isSecure), textOf(error)))
    socket.on('close', () => failed(isSecure ? 'refused' : 'unreachable', 'it closed the connection'))
  })
}

const textOf = (error: unknown): string => {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return message.includes(code) ? message : `${code}: ${message}`
}

/** By OpenSSL's codes, and by what rustls says on Deno. */
const faults: readonly (readonly [RegExp, ProbeFault])[] = [
  [/ALTNAME_INVALID|NotValidForName|not valid for name|does not match/i, 'name'],
  [/HAS_EXPIRED|NOT_YET_VALID|Expired|NotValidYet|not valid yet|certificate has expired/i, 'expired'],
  [/UNABLE_TO_|SELF_SIGNED|SELF-SIGNED|UnknownIssuer|CERT_SIGNATURE|BadSignature|INVALID_CA|CaUsedAsEndEntity/i,
    'authority'],
  [/WRONG_VERSION|PACKET_LENGTH|InvalidContentType|corrupt message|HTTP_REQUEST|before secure TLS/i,
    'no-tls'],
  [/ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EADDRNOTAVAIL/i, 'unreachable'],
  [/ALERT|SSLV3|TLSV1|AlertReceived|received fatal alert/i, 'refused'],
]

function faultOf(error: unknown, isSecure: boolean): ProbeFault {
  const text = textOf(error)
  return faults.find(([pattern]) => pattern.test(text))?.[1] ?? (isSecure ? 'refused' : 'unreachable')
}
