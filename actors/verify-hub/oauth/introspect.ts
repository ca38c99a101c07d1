import { limits } from '../../../runtime/limits.ts'
import { parseCompact } from '../../../runtime/trust/jws.ts'
import { checkSession, type CheckedSession } from '../check.ts'
import { appidOf } from '../appid.ts'
import type { Hub } from '../hub.ts'
import type { Caller } from '../login.ts'
import { admitAgain } from '../refresh.ts'
import { challenge, fault, isDenied, json, toldOf, type Request, type Response } from './answers.ts'
import type { Form } from './form.ts'

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i
const INACTIVE = { active: false }

/**
 * RFC 7662. The caller is an app or a service, by a session token of its own, and learns only of tokens that are meant
 * for it: of all others, whatever is wrong with them, that they are not active.
 */
export async function answerIntrospection(
  hub: Hub, caller: Caller, { headers: { authorization } }: Request, form: Form,
): Promise<Response> {
  if (authorization === undefined) return challenge()
  const own = BEARER.exec(authorization)?.[1]
  if (own === undefined) return challenge('It is no Bearer token')
  const asker = await checked(hub, caller, own, appidOf(own))
  if ('refused' in asker) return challenge(asker.refused)
  const { token } = form
  if (token === undefined) return fault('invalid_request', 'token is absent')
  const found = await checked(hub, caller, token, asker.appid)
  return json(200, 'refused' in found ? INACTIVE : told(found, token))
}

/** Of a session that lives, for a principal who may still use it. */
async function checked(
  hub: Hub, caller: Caller, token: string, audience: string,
): Promise<CheckedSession | { readonly refused: string }> {
  try {
    const session = await checkSession(hub, caller, token, audience)
    const found = await hub.sessions.find(session.sid)
    const admission = found && await admitAgain(hub, caller.systemConfig, found.session)
    if (!admission?.admitted) return { refused: 'Its subject may not use it any more' }
    return session
  } catch (error) {
    if (isDenied(error)) return { refused: toldOf(error) }
    throw error
  }
}

/** RFC 7662 §2.2; the last three are ours. */
function told({ iss, sub, appid, runtimeType, sid, exp }: CheckedSession, token: string): object {
  const parsed = parseCompact(token, limits.token)
  const { aud, iat, jti } = 'jws' in parsed ? parsed.jws.payload : {}
  return {
    active: true, token_type: 'Bearer', iss, sub, aud, client_id: appid, exp, iat, jti,
    ...(runtimeType === 'user' ? { username: sub } : {}), sid, runtime_type: runtimeType, token_use: 'session',
  }
}
