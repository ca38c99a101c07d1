import type { Hub } from '../hub.ts'
import { loginByJwt, type Caller } from '../login.ts'
import { refresh } from '../refresh.ts'
import type { Session } from '../sessions.ts'
import { nowSeconds, type Pair } from '../tokens.ts'
import { fault, json, type Request, type Response } from './answers.ts'
import { isOfAnother, ofAnother, secretShown } from './clients.ts'
import type { Form } from './form.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

type Grant = (hub: Hub, caller: Caller, form: Form) => Promise<Response>

/** By `grant_type`. A password is none of them: RFC 9700 §2.4. */
export const grants: Readonly<Record<string, Grant>> = {
  /** RFC 7523 §2.1: a login token. `scope` names audiences beside the app's own; without it, all that it may have. */
  async [JWT_BEARER](hub, caller, { assertion, scope, ...form }) {
    if (assertion === undefined) return fault('invalid_request', 'assertion is absent')
    if (isOfAnother(form, assertion)) return ofAnother()
    const audiences = scope?.split(' ').filter(Boolean)
    return issued(hub, await loginByJwt(hub, caller, { jwt: assertion, audiences }))
  },
  /** RFC 6749 §6. */
  async refresh_token(hub, caller, { refresh_token: token, scope, ...form }) {
    if (token === undefined) return fault('invalid_request', 'refresh_token is absent')
    if (scope !== undefined) return fault('invalid_scope', 'A refresh keeps what the login was given: leave scope out')
    if (isOfAnother(form, token)) return ofAnother()
    return issued(hub, await refresh(hub, caller, token))
  },
}

export async function answerToken(hub: Hub, caller: Caller, request: Request, form: Form): Promise<Response> {
  const { grant_type: type } = form
  if (type === undefined) return fault('invalid_request', 'grant_type is absent')
  const grant = Object.hasOwn(grants, type) ? grants[type] : undefined
  if (!grant) return fault('unsupported_grant_type', `grant_type is one of ${Object.keys(grants).join(' ')}`)
  return secretShown(request, form) ?? await grant(hub, caller, form)
}

/** RFC 6749 §5.1. */
function issued({ clock }: Hub, { pair, session }: { readonly pair: Pair; readonly session: Session }): Response {
  const scope = session.issue.aud.filter((name) => name !== session.appid).join(' ')
  return json(200, {
    access_token: pair.sessionToken, token_type: 'Bearer', expires_in: pair.sessionExpires - nowSeconds(clock),
    refresh_token: pair.refreshToken, ...(scope === '' ? {} : { scope }),
  })
}
