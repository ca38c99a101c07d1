import { InvalidArgument, NotFound } from '../../runtime/errors.ts'
import { isName, kv, UserSettings } from '../records.ts'
import { isReserved } from '../trust-matrix.ts'
import type { Asker } from './asker.ts'
import type { Hub } from './hub.ts'
import { tryPassword, type Caller } from './login.ts'
import { passwordFault } from './password-text.ts'
import type { Session } from './sessions.ts'
import { nowSeconds } from './tokens.ts'

/** How people and services look after sessions, passwords and locks. All of it @throws Denied. */

/** `all`: those of everybody, for who may read them all. */
const ALL = '*'

/** A device may have the name of a user, who must not be able to end what it does. */
const resourceOf = ({ sub, host }: Pick<Session, 'sub' | 'host'>): string =>
  sub === host ? `auth://sessions/devices/${sub}` : `auth://sessions/${sub}`

interface Listed {
  readonly user?: string | undefined
  readonly after?: string | undefined
}

/**
 * Sessions of a user, by default the caller's own, in pages; `after` is the last sid of the page before. What the
 * caller may not see is left out.
 */
export async function listSessions(hub: Hub, asker: Asker, { user, after }: Listed) {
  const { authority, sessions } = hub
  const whose = user ?? asker.principal.sub
  await authority.demand(asker, 'read', whose === ALL ? 'auth://sessions/' : `auth://sessions/${whose}`)
  const last = after === undefined ? undefined : await sessions.find(after)
  if (after !== undefined && !last) throw new NotFound('after: the session was forgotten; begin anew', { id: after })
  const page = await sessions.page(whose === ALL ? undefined : whose, last?.session)
  const seen: Session[] = []
  for (const session of page.sessions) {
    if (await authority.allows(asker, 'read', resourceOf(session))) seen.push(session)
  }
  return {
    sessions: seen.map(({ sid, sub, appid, host, holder, createdMs, expires, state, reason, issue }) => ({
      sid, sub, appid, runtimeType: issue.runtimeType, host, holder, createdMs, expires, state, reason,
      current: sid === asker.principal.sid,
    })),
    more: page.more && seen.length > 0,
  }
}

/**
 * Who has an account, in pages; `after` is the last name of the page before. Read here, since whoever may know the
 * names need not read all that lies under `users`.
 */
export async function listUsers(hub: Hub, asker: Asker, after = '') {
  await hub.authority.demand(asker, 'read', 'auth://users')
  for (let from = after === '' ? '' : kv.user(after); ;) {
    const { items, more = false } = await hub.zone.page('users/', 'settings', from)
    // Users have other settings below their names, as many as they like
    const users = items.flatMap(({ key }) => {
      const [, name = ''] = key.split('/')
      return key === kv.user(name) ? [name] : []
    })
    if (users.length > 0 || !more) return { users, more }
    from = items.at(-1)!.key
  }
}

/** One that has ended already is told of again, if it was not heard: whoever asks may have had no answer. */
export async function revokeSession(hub: Hub, asker: Asker, sid: string) {
  const found = await hub.sessions.find(sid)
  if (!found) throw new NotFound('There is no such session, or it was forgotten since it ended', { id: sid })
  await hub.authority.demand(asker, 'write', resourceOf(found.session))
  return { sid, ended: await hub.endings.end([sid], `revoked: by ${asker.principal.sub}`) > 0 }
}

/** All of one user, also what services do for them; `ended` says how many lived. */
export async function revokeSessions(hub: Hub, asker: Asker, user: string) {
  await hub.authority.demand(asker, 'write', `auth://sessions/${user}`)
  const sids: string[] = []
  for await (const { sid, ...living } of hub.sessions.living(user)) {
    if (await hub.authority.allows(asker, 'write', resourceOf(living))) sids.push(sid)
  }
  return { ended: await hub.endings.end(sids, `revoked: by ${asker.principal.sub}`) }
}

/** What is known of the caller. A device or a service has no type and state as users have. */
export async function whoami(hub: Hub, { systemConfig }: Pick<Caller, 'systemConfig'>, { principal, claims }: Asker) {
  const { sub, appid, runtimeType, sid, sudo } = principal
  const key = kv.user(sub)
  const [text] = runtimeType === 'user' ? await hub.zone.read(systemConfig, key) : []
  const user = text === undefined ? undefined : hub.zone.record(UserSettings, key, text)
  return {
    sub, appid, runtimeType, sid: sid ?? '', aud: [...claims.aud], exp: claims.exp,
    userType: user?.type ?? '', state: user?.state ?? 'active', sudo,
  }
}

/** Whether the session is alive now, and until when, in epoch seconds. */
export async function sessionState(hub: Hub, { systemConfig }: Pick<Caller, 'systemConfig'>, sid: string) {
  await hub.zone.refresh(systemConfig)
  const session = (await hub.sessions.find(sid))?.session
  if (!session) return { active: false, expires: 0 }
  const { state, expires, issue } = session
  const current = expires > nowSeconds(hub.clock) && issue.epoch === hub.zone.boot.epoch
  return { active: state === 'live' && current, expires }
}

/** Ends what keeps this name from logging in by password. */
export async function unlock(hub: Hub, asker: Asker, username: string) {
  await hub.authority.demand(asker, 'write', `auth://locks/${username}`)
  await hub.lockout.clear(username)
}

export interface NewPassword {
  readonly username: string
  readonly password: string
  readonly oldPassword?: string | undefined
}

/**
 * One's own with the one before; another's, also the first of a new user, as the policy allows. Whoever logged in with
 * the old one logs in again, save the session that changes it.
 * @throws InvalidArgument, InvalidPassword, LoginLocked
 */
export async function setPassword(hub: Hub, caller: Caller, asker: Asker, args: NewPassword): Promise<void> {
  const { username, password, oldPassword } = args
  const { sub, sudo, runtimeType, sid } = asker.principal
  const own = username === sub && runtimeType === 'user' && !sudo
  if (!own) await hub.authority.demand(asker, 'write', `auth://passwords/${username}`)
  const user = await registered(hub, caller, username)
  const fault = passwordFault(username, password)
  if (fault !== undefined) throw new InvalidArgument(`password: ${fault}`)
  if (own) {
    if (oldPassword === undefined) throw new InvalidArgument('old_password: to change your own, say the one before')
    await tryPassword(hub, { ...caller, vault: hub.vault }, { username, password: oldPassword })
  }
  await hub.passwords.set(hub.vault, username, password, { compat: user.compat_password === true })
  await hub.lockout.clear(username)
  const sids: string[] = []
  for await (const living of hub.sessions.living(username)) {
    if (living.host === null && !(own && living.sid === sid)) sids.push(living.sid)
  }
  await hub.endings.end(sids, 'password changed')
}

/** Whoever may have a password: also those who may not log in with it yet, or now. @throws Denied */
async function registered(hub: Hub, { systemConfig }: Caller, username: string): Promise<UserSettings> {
  const refuse = (detail: string): Error =>
    hub.deny({ layer: 'token', reason: 'login/user', rule: 'verify-hub/password', detail })
  if (!isName(username) || isReserved(username)) throw refuse(`${username} is nobody's name`)
  const key = kv.user(username)
  const [text] = await hub.zone.read(systemConfig, key)
  const user = text === undefined ? undefined : hub.zone.record(UserSettings, key, text)
  if (user?.name !== username || user.state === 'deleted') throw refuse(`user ${username}`)
  return user
}
