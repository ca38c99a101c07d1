/** Of `limits`: who may hold how much of the port at which hosts come into a zone, and of its revocation lists. */
export const edgeLimits = {
  /**
   * Connections to that port without a certificate, in their handshake or after it, of all and of one address (one /64
   * of IPv6); one more takes the place of the one that has waited longest at the address that has most.
   */
  edgeStrangers: 1_024,
  edgePerAddress: 512,
  /** Connections by certificates of hosts, of all and of one host, beside its tunnel; one more does the same. */
  edgeNamed: 1_024,
  edgePerName: 8,
  /** Milliseconds until a handshake is done and a request has come; then the connection is cut. */
  edgeFirstMs: 5_000,
  /** Milliseconds of one connection, but for a request that is being answered; then it is cut. */
  edgeLifeMs: 15_000,
  /** Certificates that one end of a tunnel shows as its next in so many milliseconds; one more is RenewalRefused. */
  edgeRenewals: 10,
  edgeRenewalsMs: 60_000,
} as const
