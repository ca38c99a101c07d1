import type { PeerCertificate, TLSSocket } from 'node:tls'

/** What is looked at of a certificate that a peer shows. */
export type Shown = Pick<PeerCertificate, 'raw' | 'valid_from' | 'valid_to' | 'subjectaltname' | 'subject'>

/** Node tells it once: a client that asks again is told that there is none. */
const known = new WeakMap<TLSSocket, Shown | undefined>()

/** Of a socket after its handshake; the same however often it is asked. */
export function shownBy(socket: TLSSocket): Shown | undefined {
  if (!known.has(socket)) known.set(socket, read(socket))
  return known.get(socket)
}

/**
 * Without all that `getPeerCertificate` makes of one (names as objects, parts of the key, three fingerprints), which is
 * a good part of a handshake. Deno has that alone, as has a certificate without alternative names: its subject counts.
 */
function read(socket: TLSSocket): Shown | undefined {
  const certificate = 'Deno' in globalThis ? undefined : socket.getPeerX509Certificate()
  if (certificate?.subjectAltName === undefined) {
    const peer = socket.getPeerCertificate()
    return peer?.raw ? peer : undefined
  }
  const { raw, validFrom, validTo, subjectAltName: subjectaltname } = certificate
  return { raw, valid_from: validFrom, valid_to: validTo, subjectaltname, subject: {} as PeerCertificate['subject'] }
}
