/** Of `limits`: what bounds a host that reaches its zone over a wire, and the control plane's end of that. */
export const uplinkLimits = {
  /** Servers of the control plane that a host knows; roots and anchors that it keeps. */
  uplinkServers: 16,
  hostRoots: 16,
  /** Authorities, and revocation lists, that a node is told of at once; a document with more is none. */
  toldCertificates: 64,
  /** Milliseconds before a host tries the next server of its zone: doubled from the first up to the last, by chance. */
  uplinkRetryMsMin: 200,
  uplinkRetryMsMax: 5_000,
  /** Milliseconds that a link waits for the tunnel while there is none; then Unavailable, and it is tried again. */
  uplinkWaitMs: 3_000,
  /** Milliseconds of one attempt: TLS, who is who, and a certificate where there is none. */
  uplinkAttemptMs: 15_000,
  /** Milliseconds after which a host judges the certificate of its control plane again. */
  uplinkRecheckMs: 2_000,
  /** Tunnels that one host of the control plane holds; one more is refused with Overloaded. */
  tunnels: 1_024,
  /** Milliseconds after which the certificate and the registration of each tunnel are looked at again. */
  tunnelRecheckMs: 2_000,
  /** Milliseconds after which hosts are told of roots and revocations that have changed. */
  tunnelTellMs: 5_000,
} as const
