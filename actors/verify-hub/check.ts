import { verifyTokenSync, type Acceptance } from '../../runtime/trust/verify.ts'
import { onlyUse, rulesFor } from '../trust-matrix.ts'
import type { Hub } from './hub.ts'
import type { Caller } from './login.ts'
import type { Found } from './sessions.ts'
import { nowSeconds } from './tokens.ts'

/** What any service accepts of verify-hub's sessions; here the session itself is asked for as well. */
const SESSION_RULES = onlyUse(rulesFor('service', 'normal'), 'session')

export interface CheckedSession {
  readonly iss: string
  readonly sub: string
  readonly appid: string
  readonly runtimeType: string
  readonly sid: string
  readonly exp: number
  /** Thumbprint of the key that must present it; null for a cookie. */
  readonly holder: string | null
}

/** A session token that is good at `audience` now, of a session that lives. @throws Denied */
export async function checkSession(
  hub: Hub, caller: Omit<Caller, 'vault'>, sessionToken: string, audience: string,
): Promise<CheckedSession> {
  await hub.zone.refresh(caller.systemConfig)
  const verdict = verifyTokenSync(sessionToken, {
    keys: hub.keys, rules: SESSION_RULES, audience, nowSeconds: nowSeconds(hub.clock), epoch: hub.zone.boot.epoch,
    trustKey: (kid, { iss }) => hub.zone.keyOf(iss, kid),
  })
  if (!verdict.accepted) throw hub.deny(verdict.denial)
  const { session } = await liveSession(hub, verdict, caller)
  const { iss, sub, appid, runtime_type: runtimeType, exp } = verdict.claims
  return { iss, sub, appid, runtimeType, sid: session.sid, exp, holder: session.holder }
}

/** The session of a session token that was just accepted. @throws Denied unless it lives */
export async function liveSession(
  hub: Hub, { claims, rule }: Acceptance, { keyless }: Pick<Caller, 'keyless'>,
): Promise<Found> {
  const sid = claims.sid!
  const found = await hub.sessions.find(sid)
  if (found?.session.state !== 'live') {
    const detail = `session ${sid}: ${found?.session.reason ?? 'unknown'}`
    throw hub.deny({ layer: 'token', reason: 'token/revoked', rule: rule.id, detail })
  }
  const { session } = found
  // Who asks for somebody without a key has not seen this one shown either
  if (keyless && session.holder !== null) {
    throw hub.deny({ layer: 'token', reason: 'token/holder', rule: rule.id, detail: `session ${sid}` })
  }
  // The successor's first use: from now on its predecessor is not in flight any more, but a copy
  if (session.holder === null && session.before && claims.jti === session.issue.sessionJti) {
    await hub.sessions.replace(found, { ...session, before: null })
  }
  return found
}
