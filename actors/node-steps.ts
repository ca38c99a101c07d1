/**
 * Numbers of the documented login of a node (seed: buckyos-logins, Node Server), in the sequence `node`. The receiving
 * side marks a step.
 */
export const nodeStep = {
  /** The node daemon signed a login token with the device key of its host. */
  loginTokenSigned: 1,
  /** verify-hub accepted it: the device is registered, and a node. */
  loginReceived: 2,
  /** The node daemon received its token pair. */
  pairReceived: 3,
  /** verify-hub rotated its refresh token. */
  refreshReceived: 4,
  /** system-config let it read its node config by that session. */
  configRead: 5,
} as const

export const NODE_SEQUENCE = 'node'
