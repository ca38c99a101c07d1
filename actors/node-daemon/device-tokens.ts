import type { Clock, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'

export interface DeviceTokens {
  /** LOGIN_TYPE self: this device's own session for the system-config of its host, renewed before it ends. */
  session(): string
  /** A login token for a service on this host: for the device, or for the owner of an app service. */
  login(service: { appid: string; owner: string | null; runtimeType: string }): string
}

/** Renewed this long before its end, so that no call carries one that is about to end. */
const RENEW_SECONDS = 60

/** Tokens that the device key signs. `jti` is random: two in the same second differ (a fault of the originals). */
export function deviceTokens(options: {
  key: SigningKey; host: string; linkKid: string; epoch: number; clock: Clock; random: Random
}): DeviceTokens {
  const { key, host, linkKid, epoch, clock, random } = options
  const now = (): number => Math.floor(clock.now() / 1000)
  const jti = (): string => toBase64url(random.bytes(16))
  let current = { token: '', iat: 0, exp: 0 }
  return {
    session() {
      const iat = now()
      // Of a clock that was set back meanwhile it would come from the future, and be refused
      if (iat >= current.iat && current.exp - iat > RENEW_SECONDS) return current.token
      const exp = iat + tokenLifetimeSeconds.session
      const token = signToken(key, {
        iss: host, sub: host, aud: ['system-config'], iat, exp, jti: jti(), token_use: 'session', appid: 'node-daemon',
        runtime_type: 'ood', cnf: { jkt: linkKid }, epoch,
      })
      current = { token, iat, exp }
      return token
    },
    login({ appid, owner, runtimeType }) {
      const iat = now()
      return signToken(key, {
        iss: host, sub: owner ?? host, aud: ['verify-hub'], iat, exp: iat + tokenLifetimeSeconds.login, jti: jti(),
        token_use: 'login', appid, runtime_type: runtimeType, epoch,
      })
    },
  }
}
