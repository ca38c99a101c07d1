/** TLS on both runtimes (RFC 8446). What a peer is allowed to do is for whoever serves or calls. */

/** PEM: the certificate with those between it and the root, and its private key. */
export interface TlsPair {
  readonly certificate: string
  readonly key: string
}

export interface TlsServing extends TlsPair {
  /** Nothing older. Default: TLSv1.2, for what others bring. */
  readonly least?: 'TLSv1.2' | 'TLSv1.3'
  /** PEM of roots: clients are asked for a certificate, and need not have one. Without it nobody is asked. */
  readonly clientRoots?: readonly string[]
  /** Protocols (RFC 7301); a client that names none of these is refused. Default: `http/1.1`. */
  readonly alpn?: readonly string[]
  /** Milliseconds of a handshake; then the connection is cut. */
  readonly handshakeMs?: number
}

/** What TLS says of who sent a request. */
export interface TlsPeer {
  /** DER of the certificate whose key the client has shown to have, ending at a root of `clientRoots`. */
  readonly certificate?: Uint8Array
  readonly alpn: string
}

export interface TlsCall {
  /**
   * PEM of all that the server's certificate may end at. `system`: what this machine trusts. `anybody`: for answers
   * that carry a proof of their own.
   */
  readonly roots: readonly string[] | 'anybody' | 'system'
  /** Whom the certificate has to name. Default: the `hostname` of the call. */
  readonly servername?: string
  readonly alpn?: string
  readonly client?: TlsPair
  /** Sees the server's certificate (DER) before anything is sent; what it throws ends the call. */
  readonly check?: (certificate: Uint8Array) => void
}

/**
 * Bytes both ways over TLS 1.3, once the handshake is done. What the peer may do is for whoever has it. The promises
 * are those of a Channel, but that nothing is cut into frames.
 */
export interface TlsConnection {
  readonly alpn: string
  readonly remoteAddress: string
  /** As in `TlsPeer`; of a server it was checked already, by `TlsCall`. */
  readonly certificate?: Uint8Array
  /** Never throws and never waits; after close it does nothing. */
  send(bytes: Uint8Array): void
  /** Bytes that were sent and that this machine has not passed on: who may wait, waits while there are many. */
  readonly unsent: number
  /**
   * Called once, and at once: Deno reads on into memory while nobody does. `onClose` runs at most once, and no bytes
   * follow it. `onDrained` runs when `unsent` has come to nothing after so much was sent that it did not leave at once.
   */
  receive(onBytes: (bytes: Uint8Array) => void, onClose: (reason: string) => void, onDrained?: () => void): void
  /** What was sent before it still arrives. */
  close(reason: string): void
}

/** Of a server: connections by these protocols (ALPN) speak no HTTP, and are handed over as they are. */
export interface TlsStreams {
  readonly alpn: readonly string[]
  /** Must not throw. */
  accept(connection: TlsConnection): void
}

/** Of a server that anybody reaches: who takes places from whom. How many there are is in `limits.edge…`. */
export interface ConnectionRoom {
  /** Of the certificate (DER) of a connection: whose it is, or undefined where that has no place of its own. */
  nameOf(certificate: Uint8Array): string | undefined
  /** Of an address: all that is to share one place. */
  sourceOf(address: string): string
}

/** Why a server is not trusted: `TlsNotTrusted.details.reason`. */
export type TlsFault = 'unknown-authority' | 'wrong-name' | 'not-yet-valid' | 'expired' | 'no-tls' | 'refused'
