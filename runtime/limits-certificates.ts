/** Limits of X.509 (`runtime/x509`). What is longer or more is refused with InvalidArgument when it is read. */
export const certificateLimits = {
  /** Bytes of a certificate, a signing request or a public key. */
  certificateBytes: 64 * 1024,
  /** Attributes of one name, and extensions of one certificate, request or revocation list. */
  certificateNameParts: 32,
  certificateExtensions: 32,
  /** Alternative names of one certificate or request, and characters of one. */
  certificateNames: 256,
  certificateNameCharacters: 1_024,
  /** Revoked serials in one list, and bytes of a list: as PEM it is still one message of a link. */
  revokedSerials: 50_000,
  revocationListBytes: 3_000_000,
  /** Certificates that a peer shows between its own and a root; more are not looked at. */
  certificateChain: 4,
} as const
