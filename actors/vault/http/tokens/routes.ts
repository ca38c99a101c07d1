import { limits } from '../../../../runtime/limits.ts'
import { badRequest, Fault, forbidden, secret, type Answer } from '../answer.ts'
import type { Cx, Route } from '../route.ts'
import { secondsOf } from '../times.ts'
import { createToken } from './create.ts'
import { lifeOf } from './lives.ts'
import type { Token } from './store.ts'
import { authOf, told } from './told.ts'

/** Tokens are said in the body: in a path they would stand in logs. */
async function named({ fields, services: { tokens } }: Cx): Promise<Token> {
  const found = await tokens.find(fields.needed('token'))
  // What may be looked up by this path, one learns only of those that are there
  if (!found) throw new Fault(403, 'bad token')
  return found
}

async function byAccessor({ fields, services: { tokens } }: Cx): Promise<Token> {
  const found = await tokens.byAccessor(fields.needed('accessor'))
  if (!found) throw new Fault(403, 'invalid accessor')
  return found
}

async function renewed({ services: { tokens, clock }, request: { data } }: Cx, token: Token, shown: string) {
  if (!token.record.renewable) throw badRequest('lease is not renewable')
  const asked = secondsOf(data['increment'], 'increment')
  const found = await tokens.renew(token, (record) => lifeOf(record, asked, clock.now()))
  if (!found) throw forbidden()
  const given = found.record.ttl
  const warnings = asked > given ? [`TTL of ${asked} s exceeded what it may be, and is ${given} s`] : []
  return secret(null, { auth: authOf(found, shown, clock.now()), warnings })
}

const revoked = async ({ services: { tokens } }: Cx, { name }: Token): Promise<Answer> =>
  void await tokens.revoke(name)

export const tokenRoutes: readonly Route[] = [
  { path: 'auth/token/create', on: { update: (cx) => createToken(cx, { path: 'auth/token/create' }) } },
  {
    path: 'auth/token/create-orphan', sudo: true,
    on: { update: (cx) => createToken(cx, { path: 'auth/token/create-orphan', orphan: true }) },
  },
  {
    path: 'auth/token/lookup-self',
    on: { read: ({ holder, services: { clock } }) => secret(told(holder, holder.token, clock.now())) },
  },
  {
    path: 'auth/token/lookup',
    on: { update: async (cx) => secret(told(await named(cx), cx.fields.needed('token'), cx.services.clock.now())) },
  },
  {
    path: 'auth/token/lookup-accessor',
    on: { update: async (cx) => secret(told(await byAccessor(cx), '', cx.services.clock.now())) },
  },
  { path: 'auth/token/renew-self', on: { update: (cx) => renewed(cx, cx.holder, cx.holder.token) } },
  {
    path: 'auth/token/renew',
    on: { update: async (cx) => renewed(cx, await named(cx), cx.fields.needed('token')) },
  },
  { path: 'auth/token/renew-accessor', on: { update: async (cx) => renewed(cx, await byAccessor(cx), '') } },
  { path: 'auth/token/revoke-self', on: { update: (cx) => revoked(cx, cx.holder) } },
  { path: 'auth/token/revoke', on: { update: async (cx) => revoked(cx, await named(cx)) } },
  { path: 'auth/token/revoke-accessor', on: { update: async (cx) => revoked(cx, await byAccessor(cx)) } },
  {
    path: 'auth/token/revoke-orphan', sudo: true,
    on: { update: async (cx) => void await cx.services.tokens.revokeOrphan((await named(cx)).name) },
  },
  {
    path: 'auth/token/accessors', sudo: true,
    on: {
      async list({ services: { tokens } }) {
        const keys = await tokens.accessors({ limit: limits.vaultListNames })
        const warnings = keys.length < limits.vaultListNames ? [] : [`These are the first ${limits.vaultListNames}`]
        return secret({ keys }, { warnings })
      },
    },
  },
  {
    path: 'auth/token/tidy',
    on: {
      async update({ services: { tokens } }) {
        await tokens.sweep()
        return secret(null, { warnings: ['Tidy operation is done.'], status: 202 })
      },
    },
  },
]
