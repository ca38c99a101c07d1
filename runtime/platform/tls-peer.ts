import type { PeerCertificate, TLSSocket } from 'node:tls'

/** What is looked at of a certificate that a peer shows. */
export type Shown = Pick<PeerCertificate, 'raw' | 'valid_from' | 'valid_to' | 'subjectaltname' | 'subject'>

/**
 * Without all that `getPeerCertificate` makes of one (names as objects, parts of the key, three fingerprints), which is
 * a good part of a handshake. Deno has that alone, as has a certificate without alternative names: its subject counts.
 */
export function shownBy(socket: TLSSocket): Shown | undefined {
  const certificate = 'Deno' in globalThis ? undefined : socket.getPeerX509Certificate()
  if (certificate?.subjectAltName === undefined) {
    const peer = socket.getPeerCertificate()
    return peer?.raw ? peer : undefined
  }
  const { raw, validFrom, validTo, subjectAltName: subjectaltname } = certificate
  return { raw, valid_from: validFrom, valid_to: validTo, subjectaltname, subject: {} as PeerCertificate['subject'] }
}
