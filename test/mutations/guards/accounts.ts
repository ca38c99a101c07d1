/** Who asks verify-hub, what they may, and what is taken from whom. */
import { guardsOf, type Guard } from '../guard.ts'

export const accounts: readonly Guard[] = [
  ...guardsOf('actors/verify-hub/principals-watch.ts', 'test/actors/verify-hub-states.test.ts',
    [
      'the password of who is gone is forgotten',
      'if (text === undefined || isDeleted(name, text)) return await hub.passwords.forget(vault, name)', '',
      'whoever has the name of a deleted user next does not have the password',
    ],
  ),
  ...guardsOf('actors/verify-hub/asker.ts', 'test/actors/verify-hub-asker.test.ts',
    [
      'a token of a key is shown by that key', 'if (claims.cnf && (keyless || claims.cnf.jkt !== peer.kid)) {',
      'if (claims.cnf && keyless) {', "a session that a key holds asks by that key's link alone, and never by HTTP",
    ],
    [
      'nobody is told which names have keys', '{ ...denial, detail: `there is',
      "{ ...denial, reason: 'login/user', detail: `there is",
      'a sudo token is signed by the key of the very user that it names, for verify-hub alone',
    ],
    [
      'a session that asks lives', 'const { session } = await liveSession(hub, verdict, { keyless })',
      'const { session } = (await hub.sessions.find(claims.sid!))!',
      'an ended session, or one of a user who is active no more, asks nothing',
    ],
    [
      'who asks by a session is active',
      'if (session.host === null && !await userOf(hub.zone, config, session.sub)) {', 'if (false) {',
      'an ended session, or one of a user who is active no more, asks nothing',
    ],
    [
      'who asks by sudo is active', "if (use === 'sudo' && !await userOf(zone, config, sub)) {", 'if (false) {',
      'of a user who is not active no sudo token is good, and none is burned by that',
    ],
    [
      'a sudo token is good once', 'return burn(hub.store, id, expSeconds, now)', 'return true',
      'a sudo token of a user is good for one call, behind the gateway and after a restart',
    ],
    [
      'a key is of the user that its document names',
      'return document.name === user ? trustKeyOf(keys, document.key, key, user) : undefined',
      'return trustKeyOf(keys, document.key, key, user)',
      'a sudo token is signed by the key of the very user that it names, for verify-hub alone',
    ],
    [
      'who shows no token asks nothing',
      "if (!asker) throw hub.deny({ layer: 'token', reason: 'token/absent', rule: '-', detail })\n      return asker",
      "return asker ?? { principal, claims: {} as never, rule: '-' }",
      "a session of an app whose audiences name verify-hub says who asks; another app's does not",
    ],
  ),
  ...guardsOf('actors/verify-hub/burn.ts', 'test/actors/verify-hub-asker.test.ts',
    [
      'a service burns its own tokens', 'if (audience !== peer.actor) {', 'if (false) {',
      'nobody burns a token of another service, nor has anything else burned',
    ],
    [
      'only what is good once is burned', "onlyUse(rulesFor('service', 'normal'), 'root', 'sudo')",
      "onlyUse(rulesFor('service', 'normal'), 'root', 'sudo', 'session')",
      'nobody burns a token of another service, nor has anything else burned',
    ],
  ),
  ...guardsOf('actors/verify-hub/accounts.ts', 'test/actors/verify-hub-accounts.test.ts',
    [
      'who lists sessions may read them',
      "await authority.demand(asker, 'read', whose === ALL ? 'auth://sessions/' : `auth://sessions/${whose}`)", '',
      "a user sees their own sessions, those that ended with the reason, and nobody else's",
    ],
    [
      'of a list each session is asked about',
      "if (await authority.allows(asker, 'read', resourceOf(session))) seen.push(session)", 'seen.push(session)',
      'a user who is called like a device does not see what the device does, and cannot end it',
    ],
    [
      'who ends a session may', "await hub.authority.demand(asker, 'write', resourceOf(found.session))", '',
      'a user ends sessions of their own, an admin those of others',
    ],
    [
      'who ends all sessions of a user may',
      "await hub.authority.demand(asker, 'write', `auth://sessions/${user}`)", '',
      'a user ends sessions of their own, an admin those of others',
    ],
    [
      'of all that end each is asked about',
      "if (await hub.authority.allows(asker, 'write', resourceOf(living))) sids.push(sid)", 'sids.push(sid)',
      'a user who is called like a device does not see what the device does, and cannot end it',
    ],
    [
      'a device is no user', 'sub === host ? `auth://sessions/devices/${sub}` : ', '',
      'a user who is called like a device does not see what the device does, and cannot end it',
    ],
  ),
  ...guardsOf('actors/verify-hub/accounts.ts', 'test/actors/verify-hub-lockout.test.ts',
    [
      "who sets another's password may",
      "if (!own) await hub.authority.demand(asker, 'write', `auth://passwords/${username}`)", '',
      "another's password is set by an admin's sudo, and by nobody else",
    ],
    [
      'sudo is no old password', "runtimeType === 'user' && !sudo", "runtimeType === 'user'",
      "another's password is set by an admin's sudo, and by nobody else",
    ],
    [
      'the old password is checked',
      'await tryPassword(hub, { ...caller, vault: hub.vault }, { username, password: oldPassword })', '',
      "one's own password is changed with the one before, which is nothing then, and other sessions end",
    ],
    [
      'a new password ends the sessions of the old one', "await hub.endings.end(sids, 'password changed')", '',
      "one's own password is changed with the one before, which is nothing then, and other sessions end",
    ],
    [
      'who is deleted gets no password', "if (user?.name !== username || user.state === 'deleted') throw",
      'if (user?.name !== username) throw', "another's password is set by an admin's sudo, and by nobody else",
    ],
    [
      'who unlocks a name may', "await hub.authority.demand(asker, 'write', `auth://locks/${username}`)", '',
      'who is logged in stays so while their name is locked, and an admin unlocks it',
    ],
  ),
  ...guardsOf('actors/verify-hub/accounts.ts', 'test/actors/verify-hub-accounts.test.ts',
    [
      'a list of users is of users', 'return key === kv.user(name) ? [name] : []', 'return [name]',
      'what users write under their names hides nobody from the list of users, and adds nobody',
    ],
  ),
  ...guardsOf('actors/verify-hub/endings.ts', 'test/actors/verify-hub-accounts.test.ts',
    [
      'an end is told before it is answered', 'await tell(await sessions.untold(sids))', '',
      'every end of a session is told before who asked for it has an answer',
    ],
  ),
  ...guardsOf('actors/verify-hub/endings.ts', 'test/actors/verify-hub-endings.test.ts',
    [
      'an end that failed is no end', 'tellSoon()\n      throw error\n    } finally {',
      'tellSoon()\n      return count\n    } finally {',
      'a session that the store would not end is ended as soon as it will',
    ],
  ),
  ...guardsOf('actors/verify-hub/sessions.ts', 'test/actors/verify-hub-accounts.test.ts',
    [
      'an end stands in the outbox from its own transaction on',
      'operations.push(put(outboxKey(next.sid), { sid: next.sid, until: tokensUntil(next) } satisfies Ended))', '',
      'what was left untold by a process that ended is told by the next, in parts',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals-watch.ts', 'test/actors/verify-hub-states.test.ts',
    [
      'who is no longer what they were is put out', 'if (name !== undefined && !stands(kind, name, text)) {',
      'if (false) {', 'a user who is suspended gets in by no way, and is put out as soon as that is written',
    ],
    [
      'at its start it sees what was written before', 'await endOf(kind, (name) => !standing.has(name))', '',
      'what was written while verify-hub was away is seen when it starts',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-states.test.ts',
    [
      'a password login looks again', '  await endUnlessAdmitted(hub, caller, session)\n  if (!await',
      '  if (!await',
      'who was suspended between the look and the login has no session left',
    ],
    [
      'the login of a service looks again', 'if (created) await endUnlessAdmitted(hub, given, session)', '',
      'who was suspended between the look and the login has no session left',
    ],
    [
      'the login of a service looks again for all that lets it in',
      ': await admitService(hub.zone, systemConfig, { host, appid, sub })\n  if (admission',
      ': await admitUser(hub.zone, systemConfig, { username: sub, appid })\n  if (admission',
      'what was taken away between the look and the login of a service leaves it no session',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-endings.test.ts',
    [
      'a password is looked at again', 'if (!await hub.passwords.isStill(caller.vault, username, checked)) {',
      'if (false) {', 'a login with the old password that is on its way leaves no session when a new one is set',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-compat.test.ts',
    [
      'a nonce is of now', 'if (!isNonceOfNow(nonce, hub.clock.now())) {', 'if (false) {',
      'a nonce is of now, give or take five minutes, also where the password is right',
    ],
    [
      'a nonce is good once', 'hub.sessions.create(session, nonce)', 'hub.sessions.create(session)',
      'a nonce is good once: its second use is refused and ends the session of the first, also elsewhere',
    ],
    [
      'the first use of a nonce falls with the second',
      "if (sid !== undefined) await hub.endings.endQuietly([sid], 'login nonce used again')", '',
      'a nonce is good once: its second use is refused and ends the session of the first, also elsewhere',
    ],
    [
      'what was overheard undoes no failure', "if (checked.form === 'plain') await hub.lockout.clear(username)",
      'await hub.lockout.clear(username)', 'what somebody overheard does not undo wrong passwords',
    ],
    [
      'only a user whose settings say so has a hashed password',
      'user?.compat_password === true ? { nonce } : undefined', '{ nonce }',
      'a flag that went off while verify-hub was away is seen when it starts, and at the next login',
    ],
  ),
  ...guardsOf('actors/verify-hub/password.ts', 'test/actors/verify-hub-compat.test.ts',
    [
      'of a verifier nothing older is kept', 'value: JSON.stringify(verifier), cas, only: true',
      'value: JSON.stringify(verifier), cas',
      'what is as good as the password is made only while the settings ask for it, and does not stay',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals-watch.ts', 'test/actors/verify-hub-compat.test.ts',
    [
      'what is as good as a password goes with the flag', 'await hub.passwords.forgetCompat(vault, name)', '',
      'what is as good as the password is made only while the settings ask for it, and does not stay',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-lockout.test.ts',
    [
      'passwords that are tried are counted', 'await hub.lockout.attempt(username)', '',
      "after so many wrong passwords a name is locked, be it anybody's or not, and costs no hash",
    ],
  ),
  ...guardsOf('actors/verify-hub/lockout.ts', 'test/actors/verify-hub-lockout.test.ts',
    [
      'of one name so many are tried in a time', 'if (soonMs > 0) throw locked(soonMs)', '',
      'one name is tried so often in a time, all names together so often, and then for nothing',
    ],
    [
      'of all names so many are tried in a time', "if (total('') > 0) throw", 'if (false) throw',
      'one name is tried so often in a time, all names together so often, and then for nothing',
    ],
    [
      'a lock grows', 'ms < limits.loginLockMsMax; step++) ms *= 2', 'ms < limits.loginLockMsMax; step++) ms *= 1',
      'the lock ends by itself, grows with each wrong password after it, up to a limit, and is forgotten',
    ],
  ),
  ...guardsOf('actors/verify-hub/tallies.ts', 'test/actors/verify-hub-lockout.test.ts',
    [
      'what happens at the same time is counted twice',
      'if (!(await store.transact([unchanged(key, entry)], operations)).succeeded) continue',
      'await store.transact([], operations)', 'passwords that are tried at the same time are counted one by one',
    ],
  ),
  ...guardsOf('actors/verify-hub/risk.ts', 'test/actors/verify-hub-risk.test.ts',
    [
      'what is copied again and again costs all sessions', 'holds = times.length >= rule.count', '',
      'by its own rules it ends all sessions of a user whose tokens are copied again and again',
    ],
    [
      'of a device of that name a user’s rule takes nothing', 'per === \'device\' ? host === name : sub !== host',
      "per === 'device' || sub !== host",
      'a rule may lock the name of a user, and a device may lose its sessions',
    ],
  ),
]
