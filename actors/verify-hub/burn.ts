import { onlyUse, rulesFor } from '../trust-matrix.ts'
import { verifySudo } from './asker.ts'
import type { Hub } from './hub.ts'
import type { Caller } from './login.ts'

/** What services accept that is good once. Here it is only used up: who gets in by it, the service says. */
const RULES = onlyUse(rulesFor('service', 'normal'), 'root', 'sudo')
  .map((rule) => ({ ...rule, id: `verify-hub/burn/${rule.tokenUse}` }))

/**
 * For a service that was shown a token that is good once: it has no ledger that outlives it, nor the keys of users. By
 * the service's own rules, and only for itself.
 * @throws Denied
 */
export async function burnToken(hub: Hub, { peer, systemConfig }: Caller, args: { token: string; audience: string }) {
  const { token, audience } = args
  if (audience !== peer.actor) {
    const detail = `${peer.actor} on ${peer.host} asks for ${audience}`
    throw hub.deny({ layer: 'token', reason: 'token/audience', rule: 'verify-hub/burn', detail })
  }
  await hub.zone.refresh(systemConfig)
  const { claims, principal, rule } = await verifySudo(hub, systemConfig, token, { rules: RULES, audience })
  const { sub, appid, runtimeType, sudo } = principal
  return { sub, appid, runtimeType, sudo, root: rule.tokenUse === 'root', jti: claims.jti, exp: claims.exp }
}
