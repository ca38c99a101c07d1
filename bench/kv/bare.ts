import { rulesFor } from '../../actors/trust-matrix.ts'
import { actor } from '../../runtime/actor.ts'
import { Denied } from '../../runtime/errors.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'
import { value } from './payload.ts'
import { Bare } from './protocol.ts'

/** ENV: the device's name, and `x` of its key. */
export const DEVICE = 'DEVICE'
export const DEVICE_KEY = 'DEVICE_KEY'

/** Takes the device's session by the rule of system-config: verified once for a link, until it expires. */
export default actor(Bare, { stateless: true }, ({ keys, clock, env }) => ({
  handlers: { get: () => ({ value, revision: 1 }) },
  lifecycle: {
    async authenticate(token) {
      const key = trustKeyOf(keys, { kty: 'OKP', crv: 'Ed25519', x: env[DEVICE_KEY]! }, 'env', env[DEVICE]!)
      const verdict = await verifyToken(token, {
        keys, rules: rulesFor('system-config', 'normal'), audience: 'system-config',
        nowSeconds: Math.floor(clock.now() / 1000), epoch: 0, trustKey: () => key,
      })
      if (!verdict.accepted) throw new Denied(verdict.denial.reason)
      return { ...verdict.principal, expires: verdict.claims.exp * 1000 }
    },
  },
}))
