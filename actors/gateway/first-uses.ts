import { Denied } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import type { VerifyHub } from '../verify-hub/protocol.ts'

/**
 * Tells verify-hub of each session token that was accepted here for the first time. Who holds no key may repeat a
 * refresh until its successor is used, and most of what is used by HTTP never comes to verify-hub by itself.
 */
export function createFirstUses(verifyHub: Client<typeof VerifyHub>): (token: string) => void {
  const seen = new Set<string>()
  return (token) => {
    if (seen.has(token)) return
    if (seen.size >= limits.boundTokens) seen.delete(seen.keys().next().value!)
    seen.add(token)
    const audience = audienceOf(token)
    if (audience === undefined) return
    const told = verifyHub.verifyToken({ sessionToken: token, audience }, { withinMs: limits.gatewayCallMs })
    told.catch((error: unknown) => {
      if (!(error instanceof Denied)) seen.delete(token)
    })
  }
}

/** Of a session without a holder's key; others need not be told of. */
function audienceOf(token: string): string | undefined {
  const parsed = parseCompact(token, limits.token)
  if ('fault' in parsed) return undefined
  const { token_use: use, aud, cnf } = parsed.jws.payload
  return use === 'session' && cnf === undefined && Array.isArray(aud) ? String(aud[0]) : undefined
}
