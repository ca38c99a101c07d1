import { Overloaded } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { limits } from '../../runtime/limits.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { verifyToken, type Acceptance } from '../../runtime/trust/verify.ts'
import { onlyUse, rulesFor } from '../trust-matrix.ts'
import type { Hub } from './hub.ts'
import { holderOf, type Caller } from './login.ts'
import { admitService, admitUser, type Admission } from './principals.ts'
import type { Found, Session } from './sessions.ts'
import { whoseOf } from './risk.ts'
import { ISSUER, nowSeconds, type Pair } from './tokens.ts'
import type { Reader } from './zone.ts'

const REFRESH_RULES = onlyUse(rulesFor('verify-hub', 'normal'), 'refresh')

export interface Refreshed {
  readonly pair: Pair
  readonly session: Session
  /** False when a lost reply was given again. */
  readonly rotated: boolean
}

/**
 * RFC 9700 §4.14.2: each refresh token is good for one pair. The same holder may ask for it again, since the reply may
 * have been lost; anything else is a copy in wrong hands, and ends the session.
 * @throws Denied
 */
export async function refresh(hub: Hub, caller: Caller, refreshToken: string): Promise<Refreshed> {
  const verdict = await checkRefreshToken(hub, caller, refreshToken)
  const sid = verdict.claims.sid!
  for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
    const found = await hub.sessions.find(sid)
    if (found?.session.state !== 'live') throw refuse(hub, verdict, 'token/revoked', `session ${sid}`)
    const { session } = found
    const use = judge(session, verdict.claims.jti, holderOf(caller), hub.clock.now())
    if (use === 'holder' || use === 'reused') {
      await hub.endings.endQuietly([sid], use === 'holder' ? 'refreshed by another holder' : 'refresh token used again')
      await hub.risk.saw(use === 'holder' ? 'holder-mismatch' : 'refresh-reused', whoseOf(session))
      throw refuse(hub, verdict, `refresh/${use}`, `session ${sid} of ${session.sub} in ${session.appid}`)
    }
    const admission = await admitAgain(hub, caller.systemConfig, session)
    if (!admission.admitted) {
      await hub.endings.endQuietly([sid], `no longer admitted: ${admission.denial.reason}`)
      throw hub.deny(admission.denial)
    }
    if (use === 'repeat') return { pair: hub.tokens.pair(session, session.issue), session, rotated: false }
    const next = await rotate(hub, found, admission)
    mayCrash('verify-hub/refresh-stored')
    if (next) return { pair: hub.tokens.pair(next, next.issue), session: next, rotated: true }
  }
  throw new Overloaded(`Others kept refreshing the session: ${sid}`)
}

/**
 * Any refresh token of the session will do, even one that was used. Settles when all who accept session tokens know.
 * @throws Denied, and what telling them met
 */
export async function logout(hub: Hub, caller: Caller, refreshToken: string): Promise<string> {
  const verdict = await checkRefreshToken(hub, caller, refreshToken)
  const sid = verdict.claims.sid!
  await hub.endings.end([sid], 'logged out')
  return sid
}

/** Whether to rotate, to give the successor again, or why this must be a copy. */
export function judge(
  session: Session, jti: string, holder: string | null, nowMs: number,
): 'rotate' | 'repeat' | 'holder' | 'reused' {
  const { issue, before } = session
  if (session.holder !== null && session.holder !== holder) return 'holder'
  if (jti === issue.refreshJti) return 'rotate'
  if (jti !== before?.refreshJti) return 'reused'
  if (session.holder !== null) return 'repeat'
  // Nobody can prove to hold a cookie, so that a repeat must come soon, and before the successor was ever used
  return nowMs - before.atMs <= limits.keylessRefreshMs && nowMs >= before.atMs ? 'repeat' : 'reused'
}

async function rotate(
  hub: Hub, found: Found, admission: Extract<Admission, { admitted: true }>,
): Promise<Session | undefined> {
  const { session } = found
  const aud = session.issue.aud.filter((name) => name === session.appid || admission.audiences.includes(name))
  const issue = hub.tokens.issue(aud, admission.runtimeType, hub.zone.boot.epoch)
  const next: Session = {
    ...session, issue, expires: issue.iat + tokenLifetimeSeconds.refresh,
    before: { refreshJti: session.issue.refreshJti, atMs: hub.clock.now() },
  }
  return await hub.sessions.replace(found, next) ? next : undefined
}

/** The principal is asked for again at each refresh: a user may be suspended, a device or a service gone. */
export function admitAgain(hub: Hub, config: Reader, session: Session): Promise<Admission> {
  const { sub, appid, host } = session
  return host === null
    ? admitUser(hub.zone, config, { username: sub, appid })
    : admitService(hub.zone, config, { host, appid, sub })
}

async function checkRefreshToken(hub: Hub, caller: Caller, token: string): Promise<Acceptance> {
  const { zone } = hub
  await zone.refresh(caller.systemConfig)
  const verdict = await verifyToken(token, {
    keys: hub.keys, rules: REFRESH_RULES, audience: ISSUER, nowSeconds: nowSeconds(hub.clock), epoch: zone.boot.epoch,
    trustKey: (kid, { iss }) => zone.keyOf(iss, kid),
  })
  if (!verdict.accepted) throw hub.deny(verdict.denial)
  return verdict
}

function refuse(hub: Hub, verdict: Acceptance, reason: DenialReason, detail: string): Error {
  return hub.deny({ layer: 'token', reason, rule: verdict.rule.id, detail })
}
