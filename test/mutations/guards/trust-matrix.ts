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
  ),
]
