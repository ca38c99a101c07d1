/** Of `limits`: how a zone comes to its etcd, and to certificates for it. */
export const etcdLimits = {
  /** Milliseconds for which a start tries to reach a member of etcd; then EtcdUnreachable. */
  etcdReachMs: 30_000,
  /** Milliseconds of one attempt at one member. */
  etcdProbeMs: 3_000,
  /** Milliseconds between two rounds of attempts, doubled up to the maximum. */
  etcdRetryMsMin: 200,
  etcdRetryMsMax: 3_000,
  /** Milliseconds between two looks at the certificates for etcd, whatever clocks and sleeping machines do. */
  etcdRenewalCheckMs: 3_600_000,
  /** Milliseconds before a renewal of the etcd client certificate that failed is tried again. */
  etcdRenewalRetryMs: 60_000,
  /** Certificates that were signed without the vault and that it takes over at once; the rest follows. */
  unrecordedCertificates: 256,
} as const
