import type { RequestListener, ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket, type SecureContextOptions } from 'node:tls'
import { limits } from '../limits.ts'
import { shownBy } from './tls-peer.ts'
import type { TlsPeer, TlsServing } from './tls-ports.ts'

/** Anew for each swap: all of it is replaced. */
export const secureContext = (
  { certificate, key, clientRoots, least = 'TLSv1.2' }: TlsServing,
): SecureContextOptions => ({
  cert: certificate, key, minVersion: least, ...(clientRoots ? { ca: [...clientRoots] } : {}),
})

/** `node:https` on both runtimes: `Deno.serve` asks no client for a certificate, and says nothing of it. */
export function createTlsServer(
  tls: TlsServing, bounds: ServerOptions, listener: RequestListener, streams: readonly string[] = [],
): Server {
  return createServer({
    ...bounds, ...secureContext(tls),
    requestCert: tls.clientRoots !== undefined, rejectUnauthorized: false,
    ALPNProtocols: [...tls.alpn ?? ['http/1.1'], ...streams],
    handshakeTimeout: tls.handshakeMs ?? limits.tlsHandshakeMs,
  }, listener)
}

/**
 * A certificate of which TLS says that it ends at a root, that it has not ended, and that the client has its key; of
 * any other nothing is told.
 */
export function tlsPeerOf(socket: Socket): TlsPeer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const alpn = socket.alpnProtocol || 'http/1.1'
  // Deno takes a client without one for authorised where nobody asks for it
  const raw = socket.authorized ? shownBy(socket)?.raw : undefined
  return raw ? { alpn, certificate: new Uint8Array(raw) } : { alpn }
}

/** Of a handshake that failed: there is nobody who could read an answer. Deno gives some of them no code. */
export const isTlsFault = (code: string | undefined): boolean =>
  code === undefined || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')
