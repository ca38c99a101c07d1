/** Logins, refreshes, sessions and passwords; and how services check what it issues. */
import { guardsOf, type Guard } from '../guard.ts'

export const verifyHub: readonly Guard[] = [
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
      'only a program comes by the gateway', 'return spec.run !== undefined && !spec.kernel', 'return true',
      'the login token of a worker, of a kernel service or of another host gets nobody in by HTTP',
    ],
    [
      'a password is checked', 'await hub.passwords.check(caller.vault, username, args.password)', '',
      'a flood of password logins is bounded, and keeps nobody from refreshing',
    ],
    [
      'who shows no key holds none', 'keyless ? null : peer.kid', 'peer.kid',
      'a session of a link is refused by HTTP, and its refresh token there ends it',
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
      'a kernel service is on an OOD', "if (kernel && device.document.role !== 'ood') return refuse(",
      'if (false) return refuse(',
      'a spec makes no user, no OOD and, off an OOD, no kernel service of what logs in by a token',
    ],
    [
      'a service is placed on its host',
      "if (node?.host !== host || node.state !== 'running' || node.services[spec.name]?.target !== 'running') {",
      'if (false) {', 'a service logs in only from where the scheduler put it, and a kernel service only from an OOD',
    ],
    [
      'a service speaks for its owner or device', 'if (sub !== (spec.owner ?? host)) return refuse(',
      'if (false) return refuse(', 'a device signs for itself alone',
    ],
    [
      'the owner of an app is active', 'if (spec.owner !== null && !isActive(zone, sub, userText)) return refuse(',
      'if (false) return refuse(', 'an app service speaks for its owner, as long as the owner is active',
    ],
  ),
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
      "await hub.sessions.end(sid, use === 'holder' ? 'refreshed by another holder' : 'refresh token used again')", '',
      'a repeat of a refresh gets the same successor within the window, and ends the session after it',
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
]
