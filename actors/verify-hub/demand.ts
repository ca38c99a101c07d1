import type { Authenticate, CallContext } from '../../runtime/actor.ts'
import type { Client } from '../../runtime/protocol.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { limits } from '../../runtime/limits.ts'
import { isName, kv, UserSettings } from '../records.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { checkSession } from './check.ts'
import type { Hub } from './hub.ts'

type Needs = { systemConfig: Client<typeof SystemConfig> }

/**
 * Who asks for what is not given to everybody. For now: an administrator's live session, of any app; without a sudo
 * token and without a look at the policy.
 */
export function authenticateSessions(hub: Hub, { systemConfig }: Needs): Authenticate {
  return async (token, peer) => {
    const { sub, appid, runtimeType, sid, exp } =
      await checkSession(hub, { peer, systemConfig, keyless: true }, token, appidOf(token))
    const expires = Math.min(exp * 1000, hub.clock.now() + limits.enforcerLeaseMs)
    return { sub, appid, runtimeType, sid, sudo: false, expires }
  }
}

/** @throws Denied */
export async function demand(
  hub: Hub, { principal, token, systemConfig }: Pick<CallContext, 'principal' | 'token'> & Needs,
  operation: 'read' | 'write', path: string,
): Promise<void> {
  const refuse = (reason: 'token/absent' | 'rbac/no-rule', layer: 'token' | 'rbac'): Error =>
    hub.deny({ layer, reason, rule: 'verify-hub/demand', detail: `${principal.sub}: ${operation} ${path}` })
  if (token === undefined) throw refuse('token/absent', 'token')
  const { sub, runtimeType } = principal
  const [text] = isName(sub) ? await hub.zone.read(systemConfig, kv.user(sub)) : []
  const user = text === undefined ? undefined : hub.zone.record(UserSettings, kv.user(sub), text)
  const mayAsk = runtimeType === 'user' && user?.name === sub && user.state === 'active' && user.type === 'admin'
  if (!mayAsk) throw refuse('rbac/no-rule', 'rbac')
}

/** Of a token that nobody has checked yet: only to know which question to ask about it. */
export function appidOf(token: string): string {
  const parsed = parseCompact(token, limits.token)
  return 'fault' in parsed ? '' : String(parsed.jws.payload['appid'])
}
