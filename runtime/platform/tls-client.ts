import { isIP } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { InvalidArgument, messageOf, TlsNotTrusted, Unavailable } from '../errors.ts'
import { shownBy, type Shown } from './tls-peer.ts'
import type { TlsCall, TlsFault } from './tls-ports.ts'

export interface TlsTarget {
  readonly hostname: string
  readonly port: number
}

/**
 * A connection to a server that is trusted: a certificate that ends at one of the roots, now, for that name. What is
 * wrong with it is told apart here and not by the words of a TLS library, which each runtime has of its own.
 * @throws TlsNotTrusted, Unavailable, InvalidArgument
 */
export function connectTls({ hostname, port }: TlsTarget, tls: TlsCall, signal: AbortSignal): Promise<TLSSocket> {
  const where = `${hostname}:${port}`
  const name = tls.servername ?? hostname
  return new Promise((resolve, reject) => {
    let socket: TLSSocket
    try {
      socket = connect({
        host: hostname, port, minVersion: 'TLSv1.3',
        ...(tls.roots === 'system' ? {} : { ca: tls.roots === 'anybody' ? [] : [...tls.roots] }),
        // Judged below, before anything is sent; the name by itself
        rejectUnauthorized: false, checkServerIdentity: () => undefined,
        ALPNProtocols: [tls.alpn ?? 'http/1.1'],
        ...(isIP(name) ? {} : { servername: name }),
        ...(tls.client ? { cert: tls.client.certificate, key: tls.client.key } : {}),
      })
    } catch (error) {
      return reject(new InvalidArgument(`TLS to ${where} cannot be set up: ${messageOf(error)}`))
    }
    skipIdentity(socket)
    const end = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    const abort = (): void => end(signal.reason as Error)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    let connected = false
    socket.once('connect', () => { connected = true })
    socket.on('error', (error: Error & { code?: string }) => end(connectionFault(error, connected, where)))
    let isTaken = false
    socket.once('close', () => {
      // An error for nobody, at each end of a connection, would cost more than the end
      if (!isTaken) end(new Unavailable(`No TLS with ${where}: the connection was closed`))
    })
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', abort)
      try {
        // Not as an argument: it would not be evaluated where nobody checks
        const certificate = tls.roots === 'anybody' ? shown(socket, where).raw : trusted(socket, name, where)
        tls.check?.(certificate)
        isTaken = true
        resolve(socket)
      } catch (error) {
        end(error as Error)
      }
    })
  })
}

/**
 * Node makes all of a certificate, and of those above it, for the check of the identity that is none here: a tenth of a
 * handshake. Once: whoever asks after the handshake is told.
 */
function skipIdentity(socket: TLSSocket): void {
  if ('Deno' in globalThis) return
  const nothing = { value: () => ({}), configurable: true }
  Object.defineProperty(socket, 'getPeerCertificate', nothing)
  socket.prependOnceListener('secureConnect', () => { delete (socket as Partial<TLSSocket>).getPeerCertificate })
}

/** @throws TlsNotTrusted */
function shown(socket: TLSSocket, where: string): Shown {
  const peer = shownBy(socket)
  if (!peer) throw notTrusted('no-tls', `${where} shows no certificate`)
  return peer
}

/** The server's certificate. @throws TlsNotTrusted */
function trusted(socket: TLSSocket, name: string, where: string): Uint8Array {
  const peer = shown(socket, where)
  const [from, to] = [Date.parse(peer.valid_from), Date.parse(peer.valid_to)]
  if (!socket.authorized) {
    const now = Date.now()
    const life = { notBefore: from, notAfter: to, now }
    if (now < from) {
      throw notTrusted('not-yet-valid', `The certificate of ${where} begins in ${seconds(from - now)} s`, life)
    }
    if (now > to) throw notTrusted('expired', `The certificate of ${where} ended ${seconds(now - to)} s ago`, life)
    throw notTrusted('unknown-authority', `The certificate of ${where} ends at none of the given roots`)
  }
  const wrong = checkServerIdentity(name, peer as PeerCertificate)
  if (wrong) {
    throw notTrusted('wrong-name', `The certificate of ${where} is not for ${name}: ${peer.subjectaltname ?? '-'}`)
  }
  return new Uint8Array(peer.raw)
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000)

const notTrusted = (reason: TlsFault, message: string, details: object = {}): Error =>
  new TlsNotTrusted(message, { reason, ...details })

/** Once it is connected, what fails is TLS: an alert, or something that is no TLS. */
function connectionFault({ code = '', message }: Error & { code?: string }, connected: boolean, where: string): Error {
  const alert = /alert|ALERT/.test(`${code} ${message}`)
  if (connected && alert) return notTrusted('refused', `${where} refuses the connection: ${messageText(message)}`)
  // A connection that is cut in the midst of a handshake is neither, whatever the message says of TLS
  if (connected && (/^(ERR_SSL_|EPROTO)/.test(code) || /InvalidContentType|InvalidMessage|corrupt/i.test(message))) {
    return notTrusted('no-tls', `What listens on ${where} speaks no TLS 1.3`)
  }
  return new Unavailable(`No connection to ${where}: ${code || messageText(message)}`, { code })
}

const messageText = (message: string): string => message.trim().split('\n')[0]!.slice(0, 200)
