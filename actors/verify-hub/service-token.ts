import { kv, ServiceSpec } from '../records.ts'
import { checkSession } from './check.ts'
import type { Hub } from './hub.ts'
import type { Caller } from './login.ts'
import { isKernel } from './principals.ts'
import { ISSUER, nowSeconds, randomId } from './tokens.ts'

/** Long enough for one request, too short to be worth keeping. */
const LIFETIME_SECONDS = 60

export interface ServiceToken {
  readonly token: string
  /** Epoch seconds. */
  readonly expires: number
}

/**
 * What a gateway hands to a service in place of the cookie: a session token of the same session, for that service
 * alone. It is given for a token without a holder's key that names the service and whose session lives, never for the
 * system's own services, and it ends no later than the token it was asked for with.
 * @throws Denied
 */
export async function serviceToken(
  hub: Hub, caller: Caller, args: { sessionToken: string; audience: string },
): Promise<ServiceToken> {
  const { sessionToken, audience } = args
  const { peer, systemConfig } = caller
  if (peer.runtimeType !== 'gateway') {
    const detail = `a token for ${audience.slice(0, 64)}, asked by ${peer.actor} on ${peer.host}`
    throw hub.deny({ layer: 'link', reason: 'login/presenter', rule: RULE, detail })
  }
  const checked = await checkSession(hub, { peer, systemConfig, keyless: true }, sessionToken, audience)
  // A name, since only names are written into `aud`
  const [text] = await hub.zone.read(systemConfig, kv.spec(audience))
  const spec = text === undefined ? undefined : hub.zone.record(ServiceSpec, kv.spec(audience), text)
  if (spec?.appid !== audience || !spec.http || isKernel(spec)) {
    throw hub.deny({ layer: 'token', reason: 'login/app', rule: RULE, detail: `${audience} answers no HTTP` })
  }
  const iat = nowSeconds(hub.clock)
  const expires = Math.min(iat + LIFETIME_SECONDS, checked.exp)
  const { sub, appid, runtimeType, sid } = checked
  const token = hub.tokens.sign({
    iss: ISSUER, sub, aud: [audience], iat, exp: expires, jti: randomId(hub.random), token_use: 'session', appid,
    runtime_type: runtimeType, sid, epoch: hub.zone.boot.epoch,
  })
  return { token, expires }
}

const RULE = 'verify-hub/service-token'
