import type { CallContext } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import {
  array, integer, literal, maxValue, minValue, number, object, optional, pipe, string, type Infer,
} from '../../runtime/protocol.ts'
import { answering, method, type KrpcTable } from '../krpc.ts'
import { kv, UserSettings } from '../records.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { Vault } from '../vault/protocol.ts'
import type { Askers } from './asker.ts'
import { appidOf } from './appid.ts'
import { checkSession } from './check.ts'
import { nonceOf } from './compat.ts'
import type { Hub } from './hub.ts'
import { accountMethods } from './krpc-accounts.ts'
import { loginByJwt, loginByPassword, type Caller } from './login.ts'
import { logout, refresh } from './refresh.ts'
import { keyMethods } from './rotation.ts'
import type { Pair } from './tokens.ts'
import { createTurns } from './turns.ts'

/** By its envelope. */
interface Numbered {
  readonly sequence?: number | undefined
}

type Cx = CallContext<{ systemConfig: typeof SystemConfig; vault: typeof Vault }>

const LoginByJwt = object({ type: optional(literal('jwt')), jwt: string(), audiences: optional(array(string())) })
const LoginByPassword = object({
  type: literal('password'), username: string(), password: string(), appid: string(),
  audiences: optional(array(string())), app_instance_id: optional(string()), source_url: optional(string()),
  login_nonce: optional(pipe(number(), integer(), minValue(0), maxValue(Number.MAX_SAFE_INTEGER))),
})
const RefreshToken = object({ refresh_token: string() })
const VerifyToken = object({
  session_token: string(), appid: optional(string()), app_instance_id: optional(string()),
})

const pairOf = ({ sessionToken, refreshToken, sid, sessionExpires, refreshExpires }: Pair) => ({
  session_token: sessionToken, refresh_token: refreshToken, sid,
  session_expires: sessionExpires, refresh_expires: refreshExpires,
})

/**
 * The originals' methods, for who comes by HTTP. Whoever logs in here proves no key: the session has no `cnf`, its
 * refresh token may be repeated for `limits.keylessRefreshMs` only, and a token that is bound to a key is refused. That
 * the gateway at the other end of the link has a key of its own must never count as the caller's.
 */
export function krpc(hub: Hub, askers: Askers) {
  const passwords = createTurns({ running: limits.krpcPasswords, waiting: limits.krpcPasswordsWaiting })
  /** Others have a link of their own, where what they hold is seen. */
  const callerOf = ({ peer, systemConfig, vault }: Cx): Caller => {
    if (peer.runtimeType === 'gateway') return { peer, systemConfig, vault, keyless: true }
    const detail = `kRPC by ${peer.actor} on ${peer.host}`
    throw hub.deny({ layer: 'link', reason: 'login/presenter', rule: 'verify-hub/krpc', detail })
  }

  const byPassword = async (args: Infer<typeof LoginByPassword>, cx: Cx, { sequence }: Numbered) => {
    const { username, password, appid, audiences, app_instance_id: instance } = args
    checkInstance(instance, appid)
    const caller = callerOf(cx)
    const nonce = nonceOf(args.login_nonce, sequence)
    const login = { username, password, appid, audiences, nonce }
    const { pair } = await passwords.run(() => loginByPassword(hub, caller, login))
    const [text] = await hub.zone.read(cx.systemConfig, kv.user(username))
    const type = text === undefined ? 'user' : hub.zone.record(UserSettings, kv.user(username), text).type
    // Both generations of the originals' clients find what they look for
    const info = { user_id: username, user_type: type }
    return {
      user_info: { show_name: username, state: 'active', ...info }, user_name: username, ...info, ...pairOf(pair),
    }
  }

  const table: KrpcTable<Cx, unknown> = {
    login_by_jwt: method(LoginByJwt, async ({ jwt, audiences }, cx: Cx) =>
      pairOf((await loginByJwt(hub, callerOf(cx), { jwt, audiences })).pair)),
    login_by_password: method(LoginByPassword, byPassword),
    refresh_token: method(RefreshToken, async ({ refresh_token: token }, cx: Cx) =>
      pairOf((await refresh(hub, callerOf(cx), token)).pair)),
    logout: method(RefreshToken, async ({ refresh_token: token }, cx: Cx) => {
      await logout(hub, callerOf(cx), token)
      return true
    }),
    /** True for a session token that is good at this app now; without `appid`, at its own. */
    verify_token: method(VerifyToken, async ({ session_token: token, appid, app_instance_id: instance }, cx: Cx) => {
      const audience = appid ?? appidOf(token)
      checkInstance(instance, audience)
      await checkSession(hub, callerOf(cx), token, audience)
      return true
    }),
    ...keyMethods(hub, askers),
  }
  return answering({ ...table, ...accountMethods(hub, askers, callerOf) })
}

/** `{app}@{owner}`: one installation of an app has one name here, so that it must be this app's. */
function checkInstance(instance: string | undefined, appid: string): void {
  if (instance === undefined || instance.split('@')[0] === appid) return
  throw new InvalidArgument('app_instance_id: it is of another app')
}
