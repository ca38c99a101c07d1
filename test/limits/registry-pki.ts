/** Of `coverage`: what bounds the vault's certificates. */
export const pki: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'limits/pki.test.ts': {
    'a mount keeps so many authorities: one more makes the oldest that is revoked be forgotten, or is refused': [
      'vaultAuthorities',
    ],
    'a revocation list has so many certificates, and one more is refused': ['vaultRevoked'],
    'a page of the inventory has at most so many certificates': ['vaultCertificatePage'],
    'a list of serials by HTTP has at most so many, and says that there are more': ['vaultCertificateKeys'],
    'a tidy takes so many certificates in one transaction, and goes on with the rest': ['vaultTidyBatch'],
    'a skew is taken for at most so long, and a role cannot say more': ['vaultSkewMs'],
    'a mount has so many roles, and a list in a role so many words': ['vaultRoles', 'vaultRoleWords'],
    'so many keys wait for their certificate, and one more is refused': ['vaultPendingKeys'],
  },
}
