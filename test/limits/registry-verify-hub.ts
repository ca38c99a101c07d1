export type Coverage = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>

/** Those of logins, sessions and passwords. */
export const verifyHubCoverage: Coverage = {
  'actors/verify-hub-accounts.test.ts': {
    'an admin sees everybody\'s, page by page, each once, also while some of them end': ['sessionPage'],
    'what was left untold by a process that ended is told by the next, in parts': ['revocationsAtOnce'],
  },
  'actors/verify-hub-compat.test.ts': {
    'a nonce is of now, give or take five minutes, also where the password is right': ['compatNonceMs'],
  },
  'actors/verify-hub-lockout.test.ts': {
    'after so many wrong passwords a name is locked, be it anybody\'s or not, and costs no hash': [
      'loginFailures',
    ],
    'the lock ends by itself, grows with each wrong password after it, up to a limit, and is forgotten': [
      'loginLockMsMin', 'loginLockMsMax', 'loginForgetMs',
    ],
    'one name is tried so often in a time, all names together so often, and then for nothing': [
      'loginAttemptsMs', 'loginAttempts', 'loginAttemptsPerName',
    ],
    'a password that is set is long enough, no name, no row, and none of those that are tried first': [
      'passwordCharactersMin',
    ],
  },
  'actors/verify-hub-refresh.test.ts': {
    'one more login than an app may have ends its oldest': ['sessionsPerApp'],
  },
  'actors/verify-hub.test.ts': {
    'a login token that was swept away stays refused when the clock is set back': ['sessionSweepMs'],
  },
  'actors/verify-hub-risk.test.ts': {
    'rules are data: each that makes no sense is refused, and says why': ['riskRules', 'riskCount', 'riskMs'],
  },
  'limits/accounts.test.ts': {
    'of names that are locked so many are remembered, and the one that would be free first gives way': ['loginNames'],
    'of those whose mishaps are counted so many are remembered, and the oldest gives way': ['riskSubjects'],
  },
}
