import { limits } from '../../../runtime/limits.ts'
import { parseCompact } from '../../../runtime/trust/jws.ts'
import { verifyTokenSync } from '../../../runtime/trust/verify.ts'
import { onlyUse, rulesFor } from '../../trust-matrix.ts'
import type { Hub } from '../hub.ts'
import type { Caller } from '../login.ts'
import { ISSUER, nowSeconds } from '../tokens.ts'
import { fault, type Request, type Response } from './answers.ts'
import { isOfAnother, ofAnother, secretShown } from './clients.ts'
import type { Form } from './form.ts'

/** A session token of the app itself: what others were handed for their own audience does not end the session. */
const RULES = [
  ...onlyUse(rulesFor('verify-hub', 'normal'), 'refresh'), ...onlyUse(rulesFor('service', 'normal'), 'session'),
]
const DONE: Response = { status: 200, headers: { 'cache-control': 'no-store' }, body: '' }

/** RFC 7009: either token of a pair ends its session. One that is nobody's, or over, is as good as revoked (§2.2). */
export async function answerRevocation(hub: Hub, caller: Caller, request: Request, form: Form): Promise<Response> {
  const { token } = form
  if (token === undefined) return fault('invalid_request', 'token is absent')
  const shown = secretShown(request, form)
  if (shown) return shown
  await hub.zone.refresh(caller.systemConfig)
  const parsed = parseCompact(token, limits.token)
  if ('fault' in parsed) return DONE
  const { token_use: use, appid } = parsed.jws.payload
  const verdict = verifyTokenSync(token, {
    keys: hub.keys, rules: RULES, audience: use === 'refresh' ? ISSUER : String(appid),
    nowSeconds: nowSeconds(hub.clock), epoch: hub.zone.boot.epoch, trustKey: (kid, { iss }) => hub.zone.keyOf(iss, kid),
  })
  if (!verdict.accepted) return DONE
  if (isOfAnother(form, token)) return ofAnother()
  await hub.endings.end([verdict.claims.sid!], 'revoked by its holder')
  return DONE
}
