/** Logins, refreshes, sessions and passwords; and how services check what it issues. */
import { guardsOf, type Guard } from '../guard.ts'

export const verifyHub: readonly Guard[] = [
  ...guardsOf('actors/verify-hub/accounts.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'verifySession tells of sessions of this epoch',
      'expires > nowSeconds(hub.clock) && issue.epoch === hub.zone.boot.epoch', 'expires > nowSeconds(hub.clock)',
      'a session of another epoch is not active',
    ],
  ),
  ...guardsOf('actors/verify-hub/actor.ts', 'test/actors/verify-hub-password.test.ts',
    [
      'a first password is issued to the supervisor of this host',
      "if (cx.peer.actor !== 'supervisor' || cx.peer.host !== self.host) {", 'if (false) {',
      'only the supervisor of this host gets a first password',
    ],
  ),
  ...guardsOf('actors/verify-hub/accounts.ts', 'test/actors/verify-hub-refresh.test.ts',
    [
      'verifySession tells of ended sessions', "active: state === 'live' && current", 'active: current',
      'a refresh token in the hands of another key ends the session, used or not',
    ],
  ),
  ...guardsOf('actors/verify-hub/actor.ts', 'test/actors/verify-hub-sweep.test.ts',
    [
      'a sweep outlives a store that is away', 'if (!(error instanceof Unavailable)) throw error', 'throw error',
      'a sweep that finds the store away is made up for by the next one, and other faults end the actor',
    ],
    [
      'a sweep does not outlive other faults', 'if (!(error instanceof Unavailable)) throw error', '',
      'a sweep that finds the store away is made up for by the next one, and other faults end the actor',
    ],
  ),
  ...guardsOf('actors/verify-hub/actor.ts', 'test/actors/verify-hub-start.test.ts',
    [
      'who links to verify-hub is in the matrix', 'return verdict.allowed', 'return true',
      'a peer of another zone or an unknown host is not admitted',
    ],
  ),
  ...guardsOf('actors/verify-hub/check.ts', 'test/actors/verify-hub.test.ts',
    [
      'a session token is verified', 'if (!verdict.accepted) throw hub.deny(verdict.denial)',
      "if (!verdict.accepted && verdict.denial.reason !== 'token/audience') throw hub.deny(verdict.denial)\n"
        + "  if (!verdict.accepted) throw new Error('unreachable')",
      'a session token is good at its own audience only',
    ],
  ),
  ...guardsOf('actors/verify-hub/check.ts', 'test/krpc-verify-hub.test.ts',
    [
      'a session that has ended is refused', "if (found?.session.state !== 'live') {", 'if (!found) {',
      'a repeat of a refresh gets the same successor within the window, and ends the session after it',
    ],
    [
      'without a key nobody asks for a holder’s token', 'if (keyless && session.holder !== null) {',
      'if (false) {', 'a session of a link is refused by HTTP, and its refresh token there ends it',
    ],
    [
      'the first use of a successor ends repeats',
      'if (session.holder === null && session.before && claims.jti === session.issue.sessionJti) {', 'if (false) {',
      'the window closes when the successor is first used',
    ],
  ),
  ...guardsOf('actors/verify-hub/krpc.ts', 'test/krpc-verify-hub.test.ts',
    [
      'kRPC comes by a gateway', "if (peer.runtimeType === 'gateway') return {", 'if (peer) return {',
      'who has a link of its own is not served as if it had none',
    ],
    [
      'by kRPC the caller has no key', 'return { peer, systemConfig, vault, keyless: true }',
      'return { peer, systemConfig, vault }',
      'a session of a link is refused by HTTP, and its refresh token there ends it',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'a repeated login is admitted again',
      '  if (!admission.admitted) throw hub.deny(admission.denial)\n  const found = await', '  const found = await',
      'a login that is repeated is admitted again: its service may have been placed elsewhere',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-password.test.ts',
    [
      'a password session behind a gateway has no holder',
      "const holder = caller.peer.runtimeType === 'gateway' ? null : holderOf(caller)",
      'const holder = holderOf(caller)',
      'a cookie names no holder; the password session of any other peer is held by its key',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub-refresh.test.ts',
    [
      'a login is repeated while its session lives',
      "if (found?.session.state !== 'live') throw refuse(hub, verdict, 'token/revoked', `session ${used.sid}`)",
      "if (!found) throw refuse(hub, verdict, 'token/revoked', `session ${used.sid}`)",
      'after a logout the login token that began the session does not give it back',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/actors/verify-hub.test.ts',
    [
      'a login token is repeated by its holder only',
      "if (use === 'forgotten' || (use && (keyless || use.holder !== peer.kid))) return false",
      "if (use === 'forgotten') return false",
      'a login token is burned for every other key, also when all come at once',
    ],
    [
      'a forgotten login token is used',
      "if (use === 'forgotten' || (use && (keyless || use.holder !== peer.kid))) return false",
      "if (use === 'forgotten') return true\n      if (use && (keyless || use.holder !== peer.kid)) return false",
      'a login token that was swept away stays refused when the clock is set back',
    ],
    [
      'a login token is shown by whom it is for', 'if (peer.host !== host || !presents) {', 'if (peer.host !== host) {',
      'a login token works only in the hands of the actor and on the host that it was made for',
    ],
    [
      'a login token is shown on its host', 'if (peer.host !== host || !presents) {', 'if (!presents) {',
      'a login token works only in the hands of the actor and on the host that it was made for',
    ],
    [
      'a login is admitted', '  if (!admission.admitted) throw hub.deny(admission.denial)\n  // The originals',
      "  if (!admission.admitted) admission = { admitted: true, runtimeType: 'service', audiences: [] }\n"
        + '  // The originals',
    ],
    [
      'a login asks for audiences that it may', "if ('reason' in aud) throw hub.deny(aud)",
      "if ('reason' in aud) return newSession(hub, { ...admission, audiences: asked ?? [] }, speaker, asked)",
      'system-config is an audience only of those that ask for it and whose spec allows it',
    ],
  ),
  ...guardsOf('actors/verify-hub/login.ts', 'test/krpc-verify-hub.test.ts',
    [
      'only a program comes by the gateway', 'return spec.run !== undefined && !isKernel(spec)', 'return true',
      'the login token of a worker, of a kernel service or of another host gets nobody in by HTTP',
    ],
    [
      'no program is of the system by its type', 'spec.run !== undefined && !isKernel(spec)',
      'spec.run !== undefined && !spec.kernel',
      'the login token of a worker, of a kernel service or of another host gets nobody in by HTTP',
    ],
    [
      'a password is checked', 'checked = await hub.passwords.check(vault, { username, password, compat })',
      "checked = { form: 'plain', hash: '' }",
      'a flood of password logins is bounded, and keeps nobody from refreshing',
    ],
    [
      'who shows no key holds none', 'keyless ? null : peer.kid', 'peer.kid',
      'a session of a link is refused by HTTP, and its refresh token there ends it',
    ],
  ),
  ...guardsOf('actors/verify-hub/password.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'a password that was replaced meanwhile is wrong',
      'if (!now || !keys.equal(await hashOf(password, now), fromBase64url(now.hash)!)) throw', 'if (false) throw',
      'a first password that is issued anew while it is used is wrong from then on',
    ],
  ),
  ...guardsOf('actors/verify-hub/password.ts', 'test/actors/verify-hub-password.test.ts',
    [
      'a wrong password is refused', 'if (!plain) throw wrong()', '',
      'the first password is made again until it was used once',
    ],
    [
      'a first password that was used is not issued again', 'if (stored && !stored.verifier.first) return undefined',
      '', 'the first password is made again until it was used once',
    ],
    [
      'a first password is marked as used', 'if (isSame && !verifier.first) return', 'if (isSame) return',
      'the first password is made again until it was used once',
    ],
    [
      'who does not exist costs a hash', 'const verifier = stored?.verifier ?? nobody',
      'if (!stored) throw wrong()\n      const { verifier } = stored',
      'each attempt costs one slow hash, whoever it is for, and all failures look the same',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals.ts', 'test/actors/node-login.test.ts',
    [
      'a node speaks for itself',
      "if (sub !== host) return refuse('login/subject', `sub ${sub}, of ${NODE_DAEMON} on ${host}`)", '',
      'an OOD, another subject, another link and a host without a document are refused',
    ],
    [
      'an OOD does not log in as a node',
      '  const wrong = notByJwt(device.document.role)\n'
        + "  if (wrong !== undefined) return refuse('login/role', wrong)\n",
      '', 'an OOD, another subject, another link and a host without a document are refused',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'names are one segment', 'if (![host, appid, sub].every(isName)) return refuse(', 'if (false) return refuse(',
      'a name that is more than one segment of a key is nobody',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals.ts', 'test/actors/verify-hub-password.test.ts',
    [
      'no user has a reserved name', 'if (isReserved(username)) return refuse(', 'if (false) return refuse(',
      'no password logs anybody in as root, or under a name of the sudo rule',
    ],
    [
      'a user who logs in is active',
      "if (!activeUser(zone, username, userText)) return refuse('login/user', `user ${username}`)", '',
      'only active users log in or refresh, and no user logs in to a kernel service',
    ],
    [
      'a user logs in to an app that is there', "if (isKernel(spec) && spec.runtimeType !== 'gateway') return refuse(",
      'if (false) return refuse(', 'only active users log in or refresh, and no user logs in to a kernel service',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals.ts', 'test/actors/verify-hub-refresh.test.ts',
    [
      'a service logs in from a registered host',
      "  if (!device) return refuse('token/unknown-key', `device ${host} is not registered`)\n  if (specText",
      '  if (specText', 'a refresh asks again who the principal is, and a refusal ends the session',
    ],
  ),
  ...guardsOf('actors/verify-hub/principals.ts', 'test/actors/verify-hub.test.ts',
    [
      'a role logs in by its own way',
      "  const wrong = notByJwt(appid)\n  if (wrong !== undefined) return refuse('login/role', wrong)\n", '',
      'who has no LOGIN_TYPE by-jwt does not log in by a login token',
    ],
    [
      'a spec is of its app',
      "  if (spec.appid !== appid) return refuse('login/app', `services/${appid}/spec names ${spec.appid}`)\n"
        + '  // Others',
      '  // Others', 'a spec that lies under the name of another service logs nobody in',
    ],
    [
      'a session has the type of a service', "if (wrongType !== undefined) return refuse('login/role', wrongType)", '',
      'a spec makes no user, no OOD and, off an OOD, no kernel service of what logs in by a token',
    ],
    [
      'a kernel service is on an OOD', "if (isKernel(spec) && device.document.role !== 'ood') return refuse(",
      'if (false) return refuse(',
      'a spec makes no user, no OOD and, off an OOD, no kernel service of what logs in by a token',
    ],
    [
      'a service is placed on its host',
      "if (node?.host !== host || node.state === 'stopped' || node.services[spec.name]?.target !== 'running') {",
      'if (false) {', 'a service logs in only from where the scheduler put it, and a kernel service only from an OOD',
    ],
    [
      'a service speaks for its owner or device', 'if (sub !== (spec.owner ?? host)) return refuse(',
      'if (false) return refuse(', 'a device signs for itself alone',
    ],
    [
      'the owner of an app is active', 'if (spec.owner !== null && !activeUser(zone, sub, userText)) return refuse(',
      'if (false) return refuse(', 'an app service speaks for its owner, as long as the owner is active',
    ],
  ),
  ...guardsOf('actors/verify-hub/refresh.ts', 'test/actors/verify-hub-guards.test.ts',
    [
      'a clock that was set back makes no repeat',
      'nowMs - before.atMs <= limits.keylessRefreshMs && nowMs >= before.atMs ?',
      'nowMs - before.atMs <= limits.keylessRefreshMs ?',
      'without a key a used refresh token may be repeated soon after, and not before it was used',
    ],
  ),
  ...guardsOf('actors/verify-hub/refresh.ts', 'test/actors/verify-hub-refresh.test.ts',
    [
      'a refresh is admitted again', 'if (!admission.admitted) {',
      "if (!admission.admitted && admission.denial.reason === 'login/app') {",
      'a refresh asks again who the principal is, and a refusal ends the session',
    ],
    [
      'who is admitted no more has no session',
      'await hub.endings.endQuietly([sid], `no longer admitted: ${admission.denial.reason}`)', '',
      'a refresh asks again who the principal is, and a refusal ends the session',
    ],
    [
      'a refresh keeps the audiences that it may have',
      'session.issue.aud.filter((name) => name === session.appid || admission.audiences.includes(name))',
      '[...session.issue.aud]', 'an audience that the spec no longer allows is gone with the next refresh',
    ],
  ),
]
