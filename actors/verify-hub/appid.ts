import { limits } from '../../runtime/limits.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'

/** Of a token that nobody has checked yet: only to know which question to ask about it. */
export function appidOf(token: string): string {
  const parsed = parseCompact(token, limits.token)
  return 'fault' in parsed ? '' : String(parsed.jws.payload['appid'])
}
