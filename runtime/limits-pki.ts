/** Of `limits`: what bounds the authorities of the vault, and what they sign. */
export const pkiLimits = {
  /** Authorities of one mount; those that are revoked give way, the oldest first, else one more is LimitExceeded. */
  vaultAuthorities: 16,
  /**
   * Certificates in the revocation list of one authority; one more is LimitExceeded. Those that ended leave it. So that
   * a full one is told to nodes (`tunnelDocument`).
   */
  vaultRevoked: 12_288,
  /** Of these, that only the revocation of a host may take. */
  vaultRevokedReserve: 2_048,
  /** Certificates of one page of the inventory; a longer one is InvalidArgument. */
  vaultCertificatePage: 1_000,
  /** Serials of one list by HTTP; the rest follows when it is asked for. */
  vaultCertificateKeys: 50_000,
  /** Certificates that one transaction of a tidy takes; the rest follows in the next. */
  vaultTidyBatch: 256,
  /** Milliseconds by which notBefore may go back for a clock that is behind; a longer time is taken for this one. */
  vaultSkewMs: 600_000,
  /** Roles that are written to one mount; one more is LimitExceeded. Words of one list in a role: InvalidArgument. */
  vaultRoles: 1_000,
  vaultRoleWords: 256,
  /** Keys of one mount that wait for their certificate to be signed elsewhere; one more is LimitExceeded. */
  vaultPendingKeys: 16,
} as const
