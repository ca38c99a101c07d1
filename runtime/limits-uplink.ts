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
  tunnels: 4_096,
  /** Milliseconds after which the certificate and the registration of each tunnel are looked at again. */
  tunnelRecheckMs: 2_000,
  /** Tunnels that are looked at together; the others wait for their turn. */
  tunnelLooks: 16,
  /** Milliseconds after which hosts are told of roots and revocations that have changed. */
  tunnelTellMs: 5_000,
  /** Milliseconds for which a new tunnel is told what was read for the last one. */
  tunnelToldMs: 1_000,
  /** Milliseconds after which a host asks whether its zone answers it, and without an answer has no tunnels. */
  tunnelSightMs: 1_000,
  tunnelBlindMs: 10_000,
  /** Links of one host that wait to be accepted, and that there are at once; one more is Overloaded. */
  tunnelHostWaiting: 64,
  tunnelHostStreams: 1_024,
  /** Tunnels that one host, by what its certificate says, begins in one window; one more is closed. */
  tunnelsPerSource: 600,
  /** Tunnels whose certificate is not good and that are told so; one more is closed without a word. */
  tunnelsRefusing: 32,
  /** Bytes of one that waits to be let in; with more it is closed. */
  tunnelGreetingBytes: 16_384,
  /** Milliseconds from one tunnel of a host to its next, which waits so long. */
  tunnelAgainMs: 250,
  /** Requests that one host makes by its certificate in one window; one more is answered 429. */
  enrolmentPerHost: 120,
} as const
