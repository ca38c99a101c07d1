import { actor } from '../../runtime/actor.ts'
import { Denied } from '../../runtime/errors.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'
import { Echo } from './protocol.ts'
import { rule, TOKEN_KEY } from './token.ts'

/** Authenticates as a service does: one verification for a token that is bound to the link, until it expires. */
export default actor(Echo, { mailbox: 8_192, stateless: true }, ({ keys, clock, env }) => ({
  handlers: {
    mac: ({ text, n }, { principal }) => ({ text, n: principal.sub === 'driver' ? n : -1 }),
    signature: ({ text, n }, { principal }) => ({ text, n: principal.sub === 'driver' ? n : -1 }),
  },
  lifecycle: {
    async authenticate(token) {
      const key = trustKeyOf(keys, { kty: 'OKP', crv: 'Ed25519', x: env[TOKEN_KEY]! }, 'env', 'driver')
      const verdict = await verifyToken(token, {
        keys,
        rules: [rule],
        audience: 'echo',
        nowSeconds: Math.floor(clock.now() / 1000),
        epoch: 0,
        trustKey: () => key,
      })
      if (!verdict.accepted) throw new Denied(verdict.denial.reason)
      return { ...verdict.principal, expires: verdict.claims.exp * 1000 }
    },
  },
}))
