/** Who may link to whom, and whose tokens count where. */
import { guardsOf, type Guard } from '../guard.ts'

export const trustMatrix: readonly Guard[] = [
  ...guardsOf('actors/trust-matrix.ts', 'test/actors/system-config-trust.test.ts',
    [
      'a boot token is good in boot phase only',
      "normal: ['deviceSession', 'session', 'verifyHubSelf', 'root', 'sudo'],",
      "normal: ['bootToken', 'deviceSession', 'session', 'verifyHubSelf', 'root', 'sudo'],",
      'when boot/config vanishes from a running zone, boot phase does not come back',
    ],
  ),
  ...guardsOf('actors/trust-matrix.ts', 'test/actors/verify-hub.test.ts',
    [
      'a login is good once',
      "subject: 'any', subjectsRefused: reservedSubjects, audience: true, audienceAlone: true, once: true,",
      "subject: 'any', subjectsRefused: reservedSubjects, audience: true, audienceAlone: true, once: false,",
    ],
  ),
  ...guardsOf('actors/trust-matrix.ts', 'test/matrix.test.ts',
    [
      'a caller is of this zone', "if (peer.zone !== self.zone) return no('link/zone'",
      "if (false) return no('link/zone'", 'another zone, and a host without a document, open nothing',
    ],
    [
      'a caller is on a registered host', "if (!role) return no('link/unknown-host'",
      "if (false) return no('link/unknown-host'", 'another zone, and a host without a document, open nothing',
    ],
    [
      'a kernel name at a link is of an OOD', "if (role !== 'ood' && claimsKernel(peer)) {", 'if (false) {',
      'a kernel name or runtime type from a host that is no OOD opens nothing',
    ],
    [
      'in boot phase only this host links', "if (phase === 'boot' && peer.host !== self.host) return no(",
      'if (false) return no(', 'before the zone has booted only the boot sequence of the same host links',
    ],
    [
      'no row, no link', "if (!found) return no('link/no-row'",
      "if (!found) return { allowed: true, rule: '-', minimum: 'mac' }\n  if (false) return no('link/no-row'",
      'each caller reaches what its row says, at the suite that its row asks for',
    ],
    [
      'a row has a suite', "if (found.minimum === 'sealed' && callee.base !== 'sealed') {", 'if (false) {',
      'a link that is less protected than its row asks for opens nothing',
    ],
    [
      'in boot phase only rows of it hold', "if (phase === 'boot' && !row.boot) return false", '',
      'before the zone has booted only the boot sequence of the same host links',
    ],
    [
      'a row names its callers', "if (!row.callers.includes('*') && !row.callers.includes(peer.actor)) return false",
      '', 'each caller reaches what its row says, at the suite that its row asks for',
    ],
    [
      'a row names its hosts',
      "return row.hosts === 'any' || (row.hosts === 'ood' ? role === 'ood' : peer.host === self.host)",
      "return row.hosts === 'any' || role !== undefined",
      'each caller reaches what its row says, at the suite that its row asks for',
    ],
    [
      'a callee with rows of its own has no others', "(row.callee !== '*' || namedCallees.has(self.actor))",
      "row.callee !== '*'", 'each caller reaches what its row says, at the suite that its row asks for',
    ],
    [
      'a session speaks for no reserved name',
      "tokenUse: 'session', keyReasons: [keyReason.verifyHub], subject: 'any', subjectsRefused: reservedSubjects,",
      "tokenUse: 'session', keyReasons: [keyReason.verifyHub], subject: 'any',",
      'every combination of verifier, phase and token is accepted exactly where the design says',
    ],
    [
      'a root token is good once', '    audienceAlone: true, once: true,\n  },\n  /** Seed: sudo',
      '    audienceAlone: true, once: false,\n  },\n  /** Seed: sudo',
      'root, login and sudo get in once; the others while they live',
    ],
    [
      'sudo is for users', "audience: true, audienceAlone: true, runtimeTypes: ['user'], once: true,",
      'audience: true, audienceAlone: true, once: true,',
      'every combination of verifier, phase and token is accepted exactly where the design says',
    ],
  ),
]
