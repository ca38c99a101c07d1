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

/** Why a server is not trusted: `TlsNotTrusted.details.reason`. */
export type TlsFault = 'unknown-authority' | 'wrong-name' | 'not-yet-valid' | 'expired' | 'no-tls' | 'refused'
