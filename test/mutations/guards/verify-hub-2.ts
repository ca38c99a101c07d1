/** Logins, refreshes, sessions and passwords. */
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
    [
      'a sweep forgets what is due still', 'session && dueKey(session) === key ? namesOf', 'session ? namesOf',
      'a session that is refreshed while a sweep is at it lives on',
    ],
  ),
  ...guardsOf('actors/verify-hub/tallies.ts', 'test/actors/verify-hub-sweep.test.ts',
    [
      'a sweep forgets no later count', 'decode<Kept<T>>(entry.value).until === secondsOf(DUE, index)', 'true',
      'what is counted on while a sweep is at it is not forgotten',
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
      'verify-hub has the keys that boot/config names',
      'await signing.follow(next.verifyHub.map((jwk) => thumbprint(keys, jwk)), of)', 'void of',
      'verify-hub refuses to start with a key that boot/config does not name, or without one',
    ],
    [
      'boot/config is there', 'if (!item) throw new VerifyHubKeyMismatch(',
      'if (!item) return\n    if (!item) throw new VerifyHubKeyMismatch(',
      'verify-hub refuses to start with a key that boot/config does not name, or without one',
    ],
    [
      'an answer that was overtaken changes nothing', 'if (item.revision >= revision && item.value !== text) {',
      'if (item.value !== text) {',
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
  ),
]
