/** Those of the actors; see `registry.ts`. */
export const ofActors: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'actors/node-daemon.test.ts': {
    'whose config nobody can read changes nothing, complains now and then, and follows the next that it is given': [
      'schedulerRoundMs',
    ],
    'tells of a process that it cannot run, tries it ever more slowly, and goes on with the others': [
      'convergeRoundMs',
    ],
  },
  'actors/scheduler.test.ts': {
    'sleeps while services write what is none of its input, however much that is': ['schedulerRetryMs'],
    'makes one round of what changes together, while what changes alone waits for nothing': ['schedulerGatherMs'],
  },
  'actors/dump-digest.test.ts': {
    'of a dump in which little has changed that alone is read, and of any other all': ['dumpDigestReads'],
  },
  'actors/session.test.ts': {
    'while verify-hub is away it tries again with growing pauses, and its token serves to the end': [
      'loginRetryMsMin', 'loginRetryMsMax',
    ],
  },
  'actors/rbac-model.test.ts': {
    'a line that a function of the model cannot read, or would read for ever, refuses the policy whole': [
      'modelPolicyLines',
    ],
    'an access model has at most its characters, and one more refuses it': ['modelCharacters'],
  },
  'actors/rbac-explain.test.ts': {
    'an explanation names so many lines that came near (explainedLines), and counts the rest': ['explainedLines'],
  },
  'actors/system-config-policy.test.ts': {
    'a line that is no policy line refuses the policy whole, and names the line': ['policyLines'],
    'more paths than are remembered are all decided alike': ['accessDecisions'],
  },
  'actors/system-config-watch.test.ts': {
    'a dump of several prefixes is true at one revision while others write': ['dumpPrefixes'],
    'a dump in pages has every key once, each page within its limit, and says when it was the last': ['dumpPage'],
  },
  'actors/system-config.test.ts': {
    'a JSON path makes the objects on its way, walks nothing but objects, and never reaches a prototype': [
      'jsonPathSegments',
    ],
  },
  'actors/vault.test.ts': {
    'a secret keeps its newest versions and drops the oldest': ['vaultSecretVersions'],
    'a secret path that is not plain segments is refused': ['vaultSecretPath'],
    'the list of those who were given a key does not grow without end': ['vaultGrants'],
  },
  'actors/enforcer.test.ts': {
    'a service whose own session is refused trusts nobody until it has a new one, then whom it should': [
      'convergeRetryMs',
    ],
    'an enforcer that is cut off denies before anybody is told that it does': ['enforcerLeaseMs'],
    'an enforcer that keeps in touch never lapses, and one that does not apply a change loses its lease': [
      'enforcerRenewMs', 'enforcerLagMs',
    ],
    'revoked sessions outlive a restart of system-config, and are forgotten long after their tokens': [
      'revokedSeconds',
    ],
  },
  'actors/enforcement-limits.test.ts': {
    'one more lease than may be is refused, and one that is over makes room': ['enforcerLeases'],
    'an enforcer that does not read what has changed is told so, and others go on': ['enforcerBacklog'],
    'one more revoked session than is remembered is refused, and those that are over make room': ['revocations'],
    'more tokens than are remembered are all judged alike': ['tokenVerdicts'],
  },
}
