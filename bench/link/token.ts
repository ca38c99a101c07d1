import type { SigningKey } from '../../runtime/platform/ports.ts'
import { signToken } from '../../runtime/trust/token.ts'
import type { TokenRule } from '../../runtime/trust/verify.ts'

/** ENV of the echo: `x` of the key that signs the driver's session. ENV of the driver: the session. */
export const TOKEN_KEY = 'TOKEN_KEY'
export const SESSION = 'SESSION'

export const rule: TokenRule = {
  id: 'bench',
  tokenUse: 'session',
  keyReasons: ['env'],
  subject: 'issuer',
  audience: true,
  lifetimeSecondsMax: 900,
  once: false,
}

export const session = (key: SigningKey, nowSeconds: number): string =>
  signToken(key, {
    iss: 'driver',
    sub: 'driver',
    aud: ['echo'],
    iat: nowSeconds,
    exp: nowSeconds + 900,
    jti: 'one',
    token_use: 'session',
    appid: 'driver',
    runtime_type: 'service',
    epoch: 0,
  })
