/**
 * Numbers of the documented join of a host (seed: rk8s-libvault, the diagram with 18 steps), in the sequence `join`.
 * The receiving side marks a step: the zone in its trace, the host and the administrator in what their command shows.
 */
export const joinStep = {
  /** The control plane was asked for a join token. */
  tokenAsked: 1,
  /** The vault made it, with its end. */
  tokenMade: 2,
  /** The control plane received it. */
  tokenReceived: 3,
  /** The control plane read the roots that hold now. */
  rootsRead: 4,
  /** The administrator has the token and the root certificate as files. */
  filesWritten: 5,
  /** The new host has both. */
  hostConfigured: 6,
  /** The new host made a key and a signing request, in memory. */
  requestMade: 7,
  /** The control plane was reached by TLS, by a client without a certificate. */
  tlsAsked: 8,
  /** The host received the certificate of the control plane. */
  serverCertificateReceived: 9,
  /** The host verified it, by the root that it was given. */
  serverTrusted: 10,
  /** The control plane received signing request and token, through that channel. */
  requestReceived: 11,
  /** The vault was asked whether the token is good. */
  tokenChecked: 12,
  /** The control plane knows that it is. */
  tokenGood: 13,
  /** The control plane made the checks beside the token: the address that the request came from. */
  addressChecked: 14,
  /** The vault used the token up and signed, in one transaction. */
  certificateSigned: 15,
  /** The control plane received the certificate. */
  certificateReceived: 16,
  /** The host received the certificate. */
  certificateGiven: 17,
  /** The host has it in memory, and spoke by mTLS. */
  mutualTls: 18,
} as const

export const JOIN_SEQUENCE = 'join'
