/** Who may touch certificates, and when an authority takes a step. */
import { guardsOf, type Guard } from '../guard.ts'

export const certManager: readonly Guard[] = [
  ...guardsOf('actors/cert-manager/due.ts', 'test/actors/cert-manager-due.test.ts',
    [
      'a next authority signs when it was told of', 'at: Math.min(heard(next) ?? Infinity, latest)', 'at: latest',
      'the next one signs when everybody can have heard of it, and not while nobody was told',
    ],
    [
      'what was told of another state is no word of this one',
      'return known?.state === state ? known.since + limits.rootsHeardMs : undefined',
      'return known && known.since + limits.rootsHeardMs',
      'the next one signs when everybody can have heard of it, and not while nobody was told',
    ],
    [
      'everybody has the time to hear of it', 'known.since + limits.rootsHeardMs', 'known.since',
      'the next one signs when everybody can have heard of it, and not while nobody was told',
    ],
    [
      'an old authority goes when what it signed has ended', 'at: Math.max(at, ends) })', 'at })',
      'an old one goes when all that it, and what it signed below it, has signed has ended',
    ],
    [
      'what is below an old root counts as well', 'Math.max(...[tainted.id, ...below].map(lastEnds))',
      'lastEnds(tainted.id)',
      'an old one goes when all that it, and what it signed below it, has signed has ended',
    ],
  ),
  ...guardsOf('actors/cert-manager/krpc.ts', 'test/actors/cert-manager-access.test.ts',
    [
      'who lists certificates may read them', 'await demand(cx, \'read\', `cert://${each}/`)', '',
      'an admin may read, by sudo revoke and step, and nobody else does any of it',
    ],
    [
      'who reads a certificate may', 'await demand(cx, \'read\', `cert://${each}/${serial}`)', 'void each',
      'an admin may read, by sudo revoke and step, and nobody else does any of it',
    ],
    [
      'who revokes a certificate may', 'await demand(cx, \'write\', `cert://${each}/${serial}`)', 'void each',
      'an admin may read, by sudo revoke and step, and nobody else does any of it',
    ],
    [
      'who steps an authority may', 'await demand(cx, \'write\', `ca://${mount}`)', '',
      'an admin may read, by sudo revoke and step, and nobody else does any of it',
    ],
  ),
  ...guardsOf('actors/scheduler/built-in.ts', 'test/actors/services-on-request.test.ts',
    [
      'a service that is there stays as it was left', 'if (asked.has(spec.name) && !config.has(key))',
      'if (asked.has(spec.name))',
      'a service is there when the config asks for it, and one that was stopped stays so',
    ],
    [
      'only what is asked for is added', 'if (asked.has(spec.name) && !config.has(key))', 'if (!config.has(key))',
      'what an operator made of a spec is left alone, and so is what only has the name',
    ],
    [
      'audiences that were taken away stay so', "if (found && earlierAudiences.includes(found.audiences.join(','))) {",
      'if (found) {',
      'what an operator made of a spec is left alone, and so is what only has the name',
    ],
  ),
]
