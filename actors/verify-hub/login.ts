import type { Peer } from '../../runtime/actor.ts'
import { Overloaded } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { verifyToken, type Acceptance } from '../../runtime/trust/verify.ts'
import { isName, kv, ServiceSpec } from '../records.ts'
import { onlyUse, rulesFor } from '../trust-matrix.ts'
import type { Vault } from '../vault/protocol.ts'
import { isNonceOfNow } from './compat.ts'
import type { Hub } from './hub.ts'
import { admitService, admitUser, audiencesOf, isKernel, userOf, type Admission } from './principals.ts'
import type { Checked } from './password.ts'
import { InvalidPassword } from './protocol.ts'
import type { LoginUse, Session } from './sessions.ts'
import { ISSUER, nowSeconds, randomId, type Pair } from './tokens.ts'
import type { Reader } from './zone.ts'

export interface Login {
  readonly pair: Pair
  readonly session: Session
  /** Of the login token; empty for a password. */
  readonly jti: string
}

/** Who calls, and what the call may ask of others. */
export interface Caller {
  readonly peer: Peer
  readonly systemConfig: Reader
  readonly vault: Client<typeof Vault>
  /** It speaks through a gateway: the peer's key is the gateway's, and the caller has shown none. */
  readonly keyless?: boolean
}

/** The key that a caller has shown to hold. */
export const holderOf = ({ keyless, peer }: Pick<Caller, 'peer' | 'keyless'>): string | null =>
  keyless ? null : peer.kid

const LOGIN_RULES = onlyUse(rulesFor('verify-hub', 'normal'), 'login')

/**
 * RFC 7523: a token that a registered device signed for one of its services, for one pair. Its first use burns it in
 * the transaction that makes the session; the same key gets the same pair again, since it may never have had the reply.
 * @throws Denied
 */
export async function loginByJwt(
  hub: Hub, given: Caller, args: { jwt: string; audiences: readonly string[] | undefined },
): Promise<Login> {
  const { peer, vault, keyless = false } = given
  const caller: Caller = { peer, vault, keyless, systemConfig: readAhead(given.systemConfig, args.jwt) }
  for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
    const seen: { id: string; use: LoginUse | undefined } = { id: '', use: undefined }
    const verdict = await checkLoginToken(hub, caller, args.jwt, async (id, expires) => {
      const use = await hub.sessions.loginUse(id, expires)
      // Nobody who shows no key is known again: for them a token is good once
      if (use === 'forgotten' || (use && (keyless || use.holder !== peer.kid))) return false
      Object.assign(seen, { id, use })
      return true
    })
    const { claims } = verdict
    const { appid, sub, iss: host } = claims
    const presents = keyless ? await isProgram(hub, caller, appid) : peer.actor === appid
    if (peer.host !== host || !presents) {
      throw refuse(hub, verdict, 'login/presenter', `${appid} of ${host}, shown by ${peer.actor} on ${peer.host}`)
    }
    const admission = await admitService(hub.zone, caller.systemConfig, { appid, sub, host })
    if (seen.use) return { ...await repeat(hub, verdict, seen.use, admission), jti: claims.jti }
    const session = newSession(hub, admission, { sub, appid, host, holder: holderOf(caller) }, args.audiences)
    const created = await hub.sessions.create(session, { id: seen.id, expires: claims.exp })
    mayCrash('verify-hub/login-stored')
    if (created) await endUnlessAdmitted(hub, given, session)
    if (created) return { pair: hub.tokens.pair(session, session.issue), session, jti: claims.jti }
    // Another call with this token was faster: look again at what it gave
  }
  throw new Overloaded(`Others kept writing the same login: ${peer.actor}`)
}

export interface PasswordLogin {
  readonly username: string
  readonly password: string
  readonly appid: string
  readonly audiences: readonly string[] | undefined
  /** That the originals' clients hashed the password with, if this is one. */
  readonly nonce?: number
}

/**
 * A name and a password, for a user who is active. Behind the gateway the holder is a cookie and has no key.
 * @throws InvalidPassword, LoginLocked, Overloaded, Denied
 */
export async function loginByPassword(hub: Hub, caller: Caller, args: PasswordLogin): Promise<Login> {
  const { username, appid } = args
  const checked = await tryPassword(hub, caller, args)
  const nonce = checked.form === 'hashed' ? nonceUse(hub, args) : undefined
  await hub.zone.refresh(caller.systemConfig)
  const admission = await admitUser(hub.zone, caller.systemConfig, { username, appid })
  const holder = caller.peer.runtimeType === 'gateway' ? null : holderOf(caller)
  const session = newSession(hub, admission, { sub: username, appid, host: null, holder }, args.audiences)
  if (!await hub.sessions.create(session, nonce)) {
    if (!nonce) throw new Overloaded('Two sessions were given the same id')
    throw await nonceReused(hub, username, nonce)
  }
  // Not before: a hashed password that somebody overheard must not undo what wrong ones did
  if (nonce) await hub.lockout.clear(username)
  await endUnlessAdmitted(hub, caller, session)
  if (!await hub.passwords.isStill(caller.vault, username, checked)) {
    await hub.endings.endQuietly([session.sid], 'password changed')
    throw new Overloaded('The password was changed while it was tried')
  }
  return { pair: hub.tokens.pair(session, session.issue), session, jti: '' }
}

/**
 * Every password that is tried comes through here, in whichever method: counted first, then one slow hash.
 * @throws InvalidPassword, LoginLocked, Overloaded
 */
export async function tryPassword(
  hub: Hub, { systemConfig, vault }: Caller,
  { username, password, nonce = 0 }: Pick<PasswordLogin, 'username' | 'password' | 'nonce'>,
): Promise<Checked> {
  await hub.lockout.attempt(username)
  const user = await userOf(hub.zone, systemConfig, username)
  const compat = user?.compat_password === true ? { nonce } : undefined
  let checked: Checked
  try {
    checked = await hub.passwords.check(vault, { username, password, compat })
  } catch (error) {
    if (error instanceof InvalidPassword) await hub.risk.saw('password-failed', { user: username })
    // Nobody has looked at it: that the vault was away is not the fault of who tried
    else await hub.lockout.retract(username).catch(() => {})
    throw error
  }
  if (checked.form === 'plain') await hub.lockout.clear(username)
  return checked
}

interface NonceUse { readonly id: string; readonly expires: number }

/** @throws Denied when the client's clock and ours differ by more than `limits.compatNonceMs` */
function nonceUse(hub: Hub, { username, nonce = 0 }: PasswordLogin): NonceUse {
  if (!isNonceOfNow(nonce, hub.clock.now())) {
    const detail = `of ${username}, ${nonce - hub.clock.now()} ms from now`
    throw hub.deny({ layer: 'token', reason: 'login/nonce', rule: 'verify-hub/login', detail })
  }
  return { id: `nonce/${username}/${nonce}`, expires: Math.ceil((nonce + limits.compatNonceMs) / 1000) }
}

/** Somebody has overheard it, the second time or the first: neither may go on. */
async function nonceReused(hub: Hub, username: string, { id, expires }: NonceUse): Promise<Error> {
  const use = await hub.sessions.loginUse(id, expires)
  const sid = typeof use === 'object' ? use.sid : undefined
  if (sid !== undefined) await hub.endings.endQuietly([sid], 'login nonce used again')
  await hub.risk.saw('nonce-reused', { user: username, ...(sid === undefined ? {} : { session: sid }) })
  return hub.deny({
    layer: 'token', reason: 'login/nonce-reused', rule: 'verify-hub/login', detail: `of ${username}, session ${sid}`,
  })
}

/** Who was suspended or taken away meanwhile: their sessions may have been ended before there was this one. */
async function endUnlessAdmitted(hub: Hub, { systemConfig }: Caller, session: Session): Promise<void> {
  const { sid, sub, appid, host } = session
  const admission = host === null ? await admitUser(hub.zone, systemConfig, { username: sub, appid })
    : await admitService(hub.zone, systemConfig, { host, appid, sub })
  if (admission.admitted) return
  await hub.endings.endQuietly([sid], `no longer admitted: ${admission.denial.reason}`)
  throw hub.deny(admission.denial)
}

/**
 * A service that is a process has no link, and comes by the gateway of its host. A worker has one: whoever brings its
 * token by another way has taken it.
 */
async function isProgram({ zone }: Hub, { peer, systemConfig }: Caller, appid: string): Promise<boolean> {
  if (peer.runtimeType !== 'gateway' || !isName(appid)) return false
  const [text] = await zone.read(systemConfig, kv.spec(appid))
  if (text === undefined) return false
  const spec = zone.record(ServiceSpec, kv.spec(appid), text)
  return spec.run !== undefined && !isKernel(spec)
}

/**
 * All that the login of this token will ask for leaves at once, and each of it once. Nobody has checked the token: what
 * it names is read, and means nothing yet.
 */
function readAhead(config: Reader, jwt: string): Reader {
  const parsed = parseCompact(jwt, limits.token)
  if ('fault' in parsed) return config
  const names = ['iss', 'appid', 'sub'].map((claim) => String(parsed.jws.payload[claim]))
  const [host, appid, sub] = names as [string, string, string]
  if (!names.every(isName)) return config
  const answers = new Map<string, ReturnType<Reader['get']>>()
  let by: string | undefined
  return {
    get(args, settings) {
      // Asked by another session of ours, since the one before was refused
      if (by !== settings?.token) answers.clear()
      by = settings?.token
      const known = answers.get(args.key)
      if (known) return known
      const missing = [args.key, kv.device(host), kv.node(host), kv.spec(appid), kv.user(sub)]
      for (const key of missing) {
        if (answers.has(key)) continue
        const answer = config.get({ key }, settings)
        // It may never be asked for
        answer.catch(() => {})
        answers.set(key, answer)
      }
      return answers.get(args.key)!
    },
  }
}

type Burn = (id: string, expiresSeconds: number) => Promise<boolean>

async function checkLoginToken(hub: Hub, caller: Caller, jwt: string, burn: Burn): Promise<Acceptance> {
  const { zone } = hub
  let host = ''
  await zone.refresh(caller.systemConfig)
  const verdict = await verifyToken(jwt, {
    keys: hub.keys, rules: LOGIN_RULES, audience: ISSUER, nowSeconds: nowSeconds(hub.clock), epoch: zone.boot.epoch,
    burn(id, expires, { iss }) {
      host = iss
      return burn(id, expires)
    },
    // Root's and verify-hub's own keys are known, so that the denial says that they may not do this
    trustKey: async (kid, { iss }) => zone.keyOf(iss, kid) ?? await deviceKey(hub, caller.systemConfig, iss),
  })
  if (verdict.accepted) return verdict
  if (verdict.denial.reason === 'token/replayed') await hub.risk.saw('login-replayed', { device: host })
  throw hub.deny(verdict.denial)
}

async function deviceKey(hub: Hub, config: Reader, host: string) {
  // `iss` of a token that nobody has checked yet
  if (!isName(host)) return undefined
  const [document] = await hub.zone.read(config, kv.device(host))
  return hub.zone.device(host, document)?.key
}

/** The reply that this holder was given before, as long as its session lives. */
async function repeat(
  hub: Hub, verdict: Acceptance, used: LoginUse, admission: Admission,
): Promise<Omit<Login, 'jti'>> {
  if (!admission.admitted) throw hub.deny(admission.denial)
  const found = await hub.sessions.find(used.sid)
  if (found?.session.state !== 'live') throw refuse(hub, verdict, 'token/revoked', `session ${used.sid}`)
  return { pair: hub.tokens.pair(found.session, used.issue), session: found.session }
}

type Speaker = Pick<Session, 'sub' | 'appid' | 'host' | 'holder'>

/** @throws Denied when the principal was not admitted or asks for an audience that it may not have */
function newSession(
  hub: Hub, admission: Admission, speaker: Speaker, asked: readonly string[] | undefined,
): Session {
  if (!admission.admitted) throw hub.deny(admission.denial)
  // The originals' clients name none: then all that the app may ask for
  const aud = audiencesOf(speaker.appid, asked ?? admission.audiences, admission.audiences)
  if ('reason' in aud) throw hub.deny(aud)
  const issue = hub.tokens.issue(aud, admission.runtimeType, hub.zone.boot.epoch)
  return {
    ...speaker, sid: randomId(hub.random), state: 'live', reason: '', createdMs: hub.clock.now(),
    expires: issue.iat + tokenLifetimeSeconds.refresh, issue, before: null,
  }
}

function refuse(hub: Hub, verdict: Acceptance, reason: DenialReason, detail: string): Error {
  return hub.deny({ layer: 'token', reason, rule: verdict.rule.id, detail })
}
