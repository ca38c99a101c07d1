/** Whoever judges tokens: the lease on what it goes by, and what system-config waits for. */
import { guardsOf, type Guard } from '../guard.ts'

const test = 'test/actors/enforcer.test.ts'
const limitsTest = 'test/actors/enforcement-limits.test.ts'
const once = 'a token of root is good for one call of a service'
const lapses = 'an enforcer that is cut off denies before anybody is told that it does'
const unheard = 'an enforcer that news does not reach denies before anybody is told that it does'
const keepsInTouch =
  'an enforcer that keeps in touch never lapses, and one that does not apply a change loses its lease'
const ends = 'a session that verify-hub has ended is refused everywhere when the answer to that comes'
const whose = 'a lease is renewed by whom it was given to, and not beyond what there is'
const alike = 'more tokens than are remembered are all judged alike'
const outlives = 'revoked sessions outlive a restart of system-config, and are forgotten long after their tokens'
const sudo = 'a sudo token is good for one call, by the key of the user, who is asked for at system-config'
const whoseSudo = 'sudo is for the user whose key it is, as long as that user is active'
const whoEnds = 'only services are told what to enforce, and only verify-hub ends sessions'
const lost = 'a service whose own session is refused trusts nobody until it has a new one, then whom it should'
const waited = 'a call that waited for its turn while its session ended, or its key was given up, does nothing'

export const enforcement: readonly Guard[] = [
  ...guardsOf('actors/enforcement/enforcer.ts', 'test/actors/operate.test.ts',
    [
      'a service that forgets refuses what was before',
      'if (claims.iat <= onceSinceSeconds) {', 'if (false) {',
      'root is above the policy here, once, and not by a token from before a restart',
    ],
  ),
  ...guardsOf('actors/enforcement/enforcer.ts', test,
    [
      'a service trusts what boot/config names',
      'lease.trusted.find((key) => key.kid === kid && key.issuer === iss)',
      'lease.trusted.find((key) => key.issuer === iss)',
      'a service accepts the keys that boot/config names as soon as it names them',
    ],
    [
      'a service takes a token for its holder', 'if (claims.cnf && claims.cnf.jkt !== peer.kid) throw',
      'if (false) throw', 'a token that is bound to a key is good for the actor whose link certificate has that key',
    ],
    [
      'a service burns',
      'if (!options.burn) return burn(store, id, expSeconds, nowSeconds)',
      'if (!options.burn) return true',
      once,
    ],
    ['a service asks the zone to burn', 'await options.burn(token)\n', '\n', sudo],
    [
      'a call of a service needs a token', "if (token === undefined) throw refuse('token/absent', '-',",
      "if (false) throw refuse('token/absent', '-',",
      'a call without a token speaks for nobody whom a service serves, and the denial says so',
    ],
    [
      'a verdict is kept for the lease', 'Math.min(claims.exp * 1000, clock.now() + lease.leftMs())',
      'claims.exp * 1000', 'a verdict about a session is kept as long as the lease, and never beyond the token',
    ],
    [
      'a verdict of a token used once is not kept',
      'const given = rule.once ? { ...principal }',
      'const given = false ? { ...principal }',
      once,
    ],
    [
      'a lapsed enforcer judges no token',
      "if (lease.leftMs() === 0) throw refuse('policy/lapsed', '-', 'no lease",
      "if (false) throw refuse('policy/lapsed', '-', 'no lease",
      lapses,
    ],
    [
      'a lapsed enforcer decides nothing', 'if (lease.leftMs() === 0) throw refuse(\'policy/lapsed\', rule.id,',
      'if (false) throw refuse(\'policy/lapsed\', rule.id,', lapses,
    ],
    [
      'a revoked session is refused when it is first seen',
      'epoch: lease.epoch, isRevoked: lease.isRevoked, trustKey,',
      'epoch: lease.epoch, trustKey,',
      'a session that ended before it was ever seen is refused',
    ],
    [
      'a revoked session is refused again',
      "if (sid !== undefined && lease.isRevoked(sid)) throw refuse('token/revoked', kept.rule.id,",
      "if (false) throw refuse('token/revoked', kept.rule.id,",
      ends,
    ],
    [
      'streams end with their session',
      "onRevoked: (isRevoked) => unbind(({ sid }) => sid !== undefined && isRevoked(sid), 'token/revoked'),",
      'onRevoked: () => {},',
      ends,
    ],
    ['streams end with the lease', "onLapse: () => unbind(() => true, 'policy/lapsed'),", 'onLapse: () => {},', lapses],
    [
      'a decision is the policy\'s',
      'if (!decision.allowed) throw',
      'if (false) throw',
      'a write of the policy is answered when every enforcer goes by it',
    ],
  ),
  ...guardsOf('actors/enforcement/lease.ts', test,
    [
      'what a service serves ends when its session is refused', 'trust([], epoch)\n', '\n',
      'a service whose own session is refused ends at once what it serves',
    ],
    ['a service whose session is refused goes by nothing', '          await release()\n', '', lost],
    [
      'a lease counts from when it was asked for',
      'endsMs = askedMs + limits.enforcerLeaseMs',
      'endsMs = askedMs + 2 * limits.enforcerLeaseMs',
      lapses,
    ],
    ['a lease is held when it was granted', 'if (granted) hold(renewedMs)', 'if (true) hold(renewedMs)', unheard],
  ),
  ...guardsOf('actors/system-config/state.ts', limitsTest,
    [
      'who writes the policy waits for all that go by it',
      'if (isNews) await Promise.all([enforcers.settled(), others])', '',
      'a write of the policy waits for an enforcer that is cut off, until it goes by nothing',
    ],
  ),
  ...guardsOf('actors/enforcement/verdicts.ts', limitsTest,
    [
      'a verdict ends with the trust in its key',
      'if (!kept || kept.generation !== generation) return undefined',
      'if (!kept) return undefined',
      alike,
    ],
    ['a verdict ends with the token', 'if (claims.exp <= nowSeconds ||', 'if (', alike],
    ['a verdict of a clock that was set back is none', '|| claims.iat - nowSeconds > SKEW_SECONDS_MAX)', ')', alike],
    [
      'a verdict is for an audience',
      'return claims.aud.includes(audience) ? kept.verdict : undefined',
      'return kept.verdict',
      alike,
    ],
  ),
  ...guardsOf('actors/enforcement/enforcer.ts', 'test/actors/enforcer-waiting.test.ts',
    [
      'a token is not used before its time', 'while (clock.now() < claims.iat * 1000 && !stopping.aborted) {',
      'while (false) {', 'a token of a clock that is ahead is used no sooner than a start of later would refuse it',
    ],
    ['a call that waited is looked at again', 'if (known) confirm(known.by)', '', waited],
    [
      'a call that waited is of a session that lives',
      "if (sid !== undefined && lease.isRevoked(sid)) throw refuse('token/revoked', rule.id,",
      "if (false) throw refuse('token/revoked', rule.id,", waited,
    ],
    [
      'a call that waited is by a key that is trusted',
      "if (!sudo && !trustKey(key.kid, claims)) throw refuse('token/unknown-key',",
      "if (false) throw refuse('token/unknown-key',", waited,
    ],
    [
      'a token that took its time to be used up is looked at again', '    confirm(verdict)\n', '',
      'a token that was used up while the lease ran out is refused',
    ],
  ),
  ...guardsOf('actors/enforcement/lease.ts', 'test/actors/enforcer-waiting.test.ts',
    [
      'an enforcer that could not begin is gone', 'if (!begun) return first.reject(error as Error)',
      'if (!begun) first.reject(error as Error)',
      'what could not begin to enforce leaves nothing behind that goes on trying',
    ],
  ),
  ...guardsOf('actors/system-config/enforcers.ts', test,
    [
      'who ends a session waits for all',
      'await Promise.all([...leases.values()].map((lease) => lease.until(published)))',
      '',
      lapses,
    ],
    [
      'a lease is its enforcer\'s',
      'if (!lease || lease.linkKid !== linkKid || known > sequence) return false',
      'if (!lease || known > sequence) return false',
      whose,
    ],
    [
      'nobody knows what is to come',
      '|| lease.linkKid !== linkKid || known > sequence)',
      '|| lease.linkKid !== linkKid)',
      whose,
    ],
    ['who does not follow is not renewed', 'if (known < required()) return false\n', '\n', keepsInTouch],
    [
      'leases of before a start are waited for', 'while (clock.monotonic() < aloneMs) await', 'while (false) await',
      'a lease of before a restart of system-config is waited for as well',
    ],
    ['a lease is longer here than there', 'const CLOCK_RATE = 1.05', 'const CLOCK_RATE = 0.9', lapses],
  ),
  ...guardsOf('actors/system-config/enforcing.ts', test,
    [
      'people do not enforce',
      'new Permitted(granting().then(() => enforcer(cx)), (session)',
      'new Permitted(sessions.current(cx), (session)',
      whoEnds,
    ],
    ['people renew no lease', 'await enforcer(cx)\n', '\n', whoEnds],
    ['verify-hub ends sessions, by its link', 'if (actor !== issuers.verifyHub || session', 'if (session', whoEnds],
    ['verify-hub ends sessions, by its token', '|| session.speaker.sub !== issuers.verifyHub) {', ') {', whoEnds],
  ),
  ...guardsOf('actors/system-config/sessions.ts', test,
    [
      'a session that has ended is refused at system-config, on open links',
      '&& (sid === undefined || !revocations.has(sid))',
      '',
      ends,
    ],
    [
      'a session that has ended is refused at system-config',
      '    isRevoked: revocations.has,\n',
      '',
      outlives,
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-sudo.test.ts',
    [
      'a sudo token is good for one call', "once && (relayed || use === 'sudo')", 'once && relayed',
      'what a user may not do by session, sudo allows, once',
    ],
    [
      'nobody shares a sudo token',
      'isForOneCall(session, relayed) ? verify(options, token, peer, link, false) : session', 'session',
      'two calls at the same time on one link do not share a sudo token',
    ],
    [
      'sudo is of who is active',
      "if (use === 'sudo' && !await isActive(records, claims.sub)) throw",
      'if (false) throw',
      whoseSudo,
    ],
    [
      'a user is active by name',
      "settings.name === name && settings.state === 'active'",
      'settings.name === name',
      whoseSudo,
    ],
    [
      'a key of a user is of that user',
      'return document.name === name ? trustKeyOf(',
      'return true ? trustKeyOf(',
      whoseSudo,
    ],
  ),
  ...guardsOf('actors/system-config/revocations.ts', test,
    [
      'a revoked session is durable', 'await store.transact([], [...forgotten, ...writes, ...beside])',
      '{ revision: undefined }', outlives,
    ],
    ['a revoked session is remembered beyond its tokens', '- limits.revokedSeconds', '', outlives],
  ),
  ...guardsOf('actors/system-config/enforcers.ts', 'test/actors/enforcer-leases.test.ts',
    [
      'a lease is over when what replaces it is renewed', '      release(lease.replaces, linkKid)\n',
      '      for (const other of leases.values()) if (other !== lease && other.linkKid === linkKid) other.end()\n',
      'two enforcers of one actor do not take each other for the one before',
    ],
    [
      'a lease is given up by its enforcer', 'if (lease?.linkKid === linkKid) lease.end()', 'lease?.end()',
      'a lease is given up by whom it was given to, whatever has become of its session',
    ],
  ),
  ...guardsOf('actors/system-config/revocations.ts', limitsTest,
    [
      'more is forgotten than is written', 'limit: written + limits.burnSweep', 'limit: limits.burnSweep',
      'as many sessions as are told of at once make room for themselves, when as many are over',
    ],
  ),
]
