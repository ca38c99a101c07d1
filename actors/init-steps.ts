/**
 * Numbers of the documented initialisation on etcd (seed: rk8s-libvault, the diagram with 14 steps), in the sequence
 * `init`: `gen pems` goes through the first four, `start` through the others. The receiving side marks a step.
 */
export const initStep = {
  /** The control plane was asked for certificates; a vault on files runs for that alone. */
  pemsAsked: 1,
  /** That vault made, or found, the authorities of the zone and of its etcd. */
  authoritiesAsked: 2,
  /** The control plane received the certificates that the vault signed for its keys. */
  certificatesReceived: 3,
  /** The files are durable, read again and verified. */
  pemsSaved: 4,
  /** The control plane was asked to start with its stores in etcd. */
  startAsked: 5,
  /** The vault is open. */
  vaultUnsealed: 6,
  /** etcd took the certificate of the control plane. */
  etcdAsked: 7,
  /** The control plane has the answer of a cluster with a leader, and trusts its certificates. */
  etcdAnswered: 8,
  /** The vault's store was told to move. */
  moveAsked: 9,
  /** etcd holds what the stores held. */
  entriesWritten: 10,
  /** Read back, entries and digest are those of the source. */
  entriesVerified: 11,
  /** The control plane knows that etcd is the storage from now on. */
  moveConfirmed: 12,
  /** All regular services serve. */
  servicesStarted: 13,
  /** The administrator is told. */
  ready: 14,
} as const

export const INIT_SEQUENCE = 'init'

/** ENV of a vault whose work is part of that sequence: `pems`, or `start`. */
export const INIT_ENV = 'ZONEWRIGHT_INIT'
