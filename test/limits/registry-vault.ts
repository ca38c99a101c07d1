/** Of `coverage`: what bounds the vault's barrier and its audit. */
export const vault: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'actors/vault-audit.test.ts': {
    'a segment that is full is followed by the next, named for its first record': ['auditSegmentBytes'],
    'fields are cut at their limit, and no more of them are kept': ['auditField', 'auditFields'],
    'more records than may wait are refused': ['auditPending'],
    'it is signed after so many records, and after so long where there are fewer': [
      'auditSignRecords', 'auditSignMs',
    ],
  },
  'actors/vault-seal.test.ts': {
    'a barrier has so many terms, and one more is refused': ['vaultTerms'],
    'what lies there is sealed anew when that is asked for, while others write': ['vaultReencryptPage'],
  },
  'audit-verify.test.ts': {
    'more faults than the limit are counted, and that many are told': ['auditFindings'],
  },
}
