/** Logins, refreshes, sessions and passwords; and how services check what it issues. */
import { guardsOf, type Guard } from '../guard.ts'

export const verifyHub2: readonly Guard[] = [
  ...guardsOf('actors/verify-hub/refresh.ts', 'test/krpc-verify-hub.test.ts',
    [
      'a refresh is of a session that lives',
      "if (found?.session.state !== 'live') throw refuse(hub, verdict, 'token/revoked', `session ${sid}`)",
      "if (!found) throw refuse(hub, verdict, 'token/revoked', `session ${sid}`)",
      'a repeat of a refresh gets the same successor within the window, and ends the session after it',
    ],
    [
      'a refresh is by its holder', "if (session.holder !== null && session.holder !== holder) return 'holder'", '',
      'a session of a link is refused by HTTP, and its refresh token there ends it',
    ],
    [
      'a used refresh token is a copy', "if (jti !== before?.refreshJti) return 'reused'",
      "if (jti !== before?.refreshJti) return 'repeat'", 'the window closes when the successor is first used',
    ],
    [
      'without a key a repeat comes soon',
      "return nowMs - before.atMs <= limits.keylessRefreshMs && nowMs >= before.atMs ? 'repeat' : 'reused'",
      "return 'repeat'",
      'a repeat of a refresh gets the same successor within the window, and ends the session after it',
    ],
    [
      'a copy ends the session',
      "await hub.endings.endQuietly([sid], use === 'holder' ? 'refreshed by another holder' : "
        + "'refresh token used again')", '',
      'a repeat of a refresh gets the same successor within the window, and ends the session after it',
    ],
  ),
  ...guardsOf('actors/verify-hub/sessions.ts', 'test/actors/verify-hub-refresh.test.ts',
    [
      'of two refreshes one rotates',
      'const same = { key: sessionKey(session.sid), modRevision: revision }\n    return (await store.transact([same],',
      'void revision\n    return (await store.transact([],',
      'refreshes of one token at the same time give one successor',
    ],
    [
      'a sweep forgets what expired only', '.filter((key) => secondsOf(prefix, key) <= untilSeconds)', '',
      'a refresh gives a new pair of the same session, and every generation works on',
    ],
    [
      'an app has so many sessions of one user',
      'if (excess.length === 0) return', 'return',
      'one more login than an app may have ends its oldest',
    ],
  ),
  ...guardsOf('actors/verify-hub/sessions.ts', 'test/actors/verify-hub-sweep.test.ts',
    [
      'what was swept cannot be used', 'if (login.expires <= sweptSeconds(swept)) return false', '',
      'a login that was used and forgotten while a slow caller was at it is not new for that caller',
    ],
    [
      'a sweep leaves what a refresh moved',
      'await store.transact([unchanged(sessionKey(sid), entry)], [key, ...records].map(remove))',
      'await store.transact([], [key, ...records].map(remove))',
      'a sweep spares the session that a refresh has just carried on',
    ],
  ),
  ...guardsOf('actors/verify-hub/sessions.ts', 'test/actors/verify-hub.test.ts',
    [
      'a login token is burned with its session',
      'compare.push({ key: loginKey(login.id, login.expires), modRevision: 0 }, unchanged(SWEPT, swept))', '',
      'one login token used many times at once by one key makes one session',
    ],
    [
      'what was swept is forgotten', "return expires <= sweptSeconds(swept) ? 'forgotten' : undefined",
      'return undefined', 'a login token that was swept away stays refused when the clock is set back',
    ],
  ),
  ...guardsOf('actors/verify-hub/zone.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'documents are judged anew by another root key', 'documents.clear()', '',
      'a device document is judged by the root key of now, not by the one that it was first judged by',
    ],
  ),
  ...guardsOf('actors/verify-hub/zone.ts', 'test/actors/verify-hub-start.test.ts',
    [
      'verify-hub has the key that boot/config names',
      'if (!next.verifyHub.some((jwk) => thumbprint(keys, jwk) === key.public.kid)) {', 'if (false) {',
      'verify-hub refuses to start with a key that boot/config does not name, or without one',
    ],
    [
      'boot/config is there', 'if (!item) throw new VerifyHubKeyMismatch(',
      'if (!item) return\n    if (!item) throw new VerifyHubKeyMismatch(',
      'verify-hub refuses to start with a key that boot/config does not name, or without one',
    ],
    [
      'an answer that was overtaken changes nothing', 'if (item.revision < revision) return', '',
      'an answer about boot/config that was overtaken by a newer one changes nothing',
    ],
  ),
  ...guardsOf('actors/verify-hub/zone.ts', 'test/actors/verify-hub.test.ts',
    [
      'a device document is of its host', 'return device?.document.name === host ? device : undefined', 'return device',
      'a device is registered only by a document that the owner key signed, for this zone and this name',
    ],
    [
      'no device signs for a reserved name', 'if (document === undefined || RESERVED.has(host)) return undefined',
      'if (document === undefined) return undefined',
      'no device signs under the name of root or verify-hub, even with a document that the owner signed',
    ],
    [
      'a device document is of this zone',
      'if (!verdict.accepted || verdict.payload.zone !== boot.zone) return undefined',
      'if (!verdict.accepted) return undefined',
      'a device is registered only by a document that the owner key signed, for this zone and this name',
    ],
  ),
  ...guardsOf('actors/verify-session.ts', 'test/actors/operate.test.ts',
    [
      'a service that forgets refuses what was before',
      'if (rule.once && onceSinceSeconds !== undefined && claims.iat <= onceSinceSeconds) {', 'if (false) {',
      'root is above the policy here, once, and not by a token from before a restart',
    ],
  ),
  ...guardsOf('actors/verify-session.ts', 'test/actors/verify-session.test.ts',
    [
      'a service trusts what boot/config names', 'trusted.find((key) => key.kid === kid && key.issuer === iss)',
      'trusted.find((key) => key.issuer === iss)',
      'a service accepts the keys that boot/config names as soon as it names them',
    ],
    [
      'a service takes a token for its holder', 'if (claims.cnf && claims.cnf.jkt !== peer.kid) throw',
      'if (false) throw', 'a token that is bound to a key is good for the actor whose link certificate has that key',
    ],
    [
      'a service burns', 'burn: (id, expSeconds) => burn(store, id, expSeconds, nowSeconds),',
      'burn: () => Promise.resolve(true),', 'a token of root is good for one call of a service',
    ],
    [
      'a call of a service needs a token', 'if (presented === undefined) throw', 'if (false) throw',
      'a call without a token speaks for nobody whom a service serves, and the denial says so',
    ],
    [
      'a verdict of a service is kept for a while',
      'expires: Math.min(claims.exp * 1000, nowMs + limits.sessionVerdictMs)', 'expires: claims.exp * 1000',
      'a verdict about a session is kept for seconds, and never beyond the token',
    ],
    [
      'a service whose session is refused trusts nobody', '    trusted = []\n    await session.renew()',
      '    await session.renew()',
      'a service whose own session is refused trusts nobody until it has a new one, then whom it should',
    ],
    [
      'a verdict of a token used once is not kept', 'if (rule.once) return principal\n', '',
      'a token of root is good for one call of a service',
    ],
  ),
]
