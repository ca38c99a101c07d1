import { kv } from '../../actors/records.ts'
import type { Peer } from '../../runtime/actor.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, type TokenClaims } from '../../runtime/trust/token.ts'
import {
  crypto, gateway, seconds, supervisor, testZone, type Running, type TestZone,
} from './verify-hub-zone.ts'

export interface KrpcPair {
  readonly session_token: string
  readonly refresh_token: string
  readonly sid: string
}

/** A zone with two people: alice is an admin, bob is not, and both have keys for sudo. */
export interface People {
  readonly zone: TestZone
  readonly hub: Running
  readonly keys: Readonly<Record<'alice' | 'bob', SigningKey>>
  readonly passwords: Readonly<Record<'alice' | 'bob', string>>
  /** Signed by this person for one call, with these claims instead of others. */
  sudo(name: 'alice' | 'bob', changes?: Partial<TokenClaims>): string
  login(name: 'alice' | 'bob', appid?: string): Promise<KrpcPair>
}

const newKey = (): SigningKey => crypto.generate(systemRandom)

export async function people(): Promise<People> {
  const zone = await testZone()
  const hub = await zone.start()
  const keys = { alice: newKey(), bob: newKey() }
  for (const [name, key] of Object.entries(keys)) {
    zone.put(kv.userDocument(name), { name, key: key.public.jwk, iat: seconds(zone) })
  }
  const { password } = await hub.handlers.issueFirstPassword({}, hub.as(supervisor))
  const passwords = { alice: password, bob: 'bob has a long one' }
  const sudo: People['sudo'] = (name, changes = {}) => {
    const iat = seconds(zone)
    return signToken(keys[name], {
      iss: name, sub: name, aud: ['verify-hub'], iat, exp: iat + 180, jti: toBase64url(systemRandom.bytes(12)),
      token_use: 'sudo', appid: 'console', runtime_type: 'user', epoch: 0, ...changes,
    })
  }
  await krpc(hub, 'set_password', { username: 'bob', password: passwords.bob }, sudo('alice'))
  return {
    zone, hub, keys, passwords, sudo,
    login: async (name, appid = 'console') => await krpc(hub, 'login_by_password', {
      type: 'password', username: name, password: passwords[name], appid,
    }) as KrpcPair,
  }
}

/** As the runtime does it: whoever brings a token is looked at before the handler runs. */
async function principalOf(hub: Running, method: string, token: string | undefined, as: Peer) {
  const own = { sub: as.host, appid: as.actor, runtimeType: as.runtimeType, sudo: false }
  if (token === undefined) return own
  return hub.lifecycle.authenticate!(token, as, { method, link: `${as.actor} ${as.host}` })
}

/** By the gateway, as the originals' clients come. */
export async function krpc(
  hub: Running, method: string, params: object, token?: string, { as = gateway, sequence = 1 } = {},
): Promise<unknown> {
  const principal = await principalOf(hub, 'krpc', token, as)
  const cx = { ...hub.as(as) as object, principal, token } as never
  return (await hub.handlers.krpc({ method, params, sequence }, cx)).result
}

/** By a link of one's own. */
export async function ask<M extends keyof Running['handlers']>(
  hub: Running, method: M, args: object, token: string | undefined, as: Peer,
): Promise<Awaited<ReturnType<Running['handlers'][M]>>> {
  const principal = await principalOf(hub, method, token, as)
  const cx = { ...hub.as(as) as object, principal, token } as never
  return await (hub.handlers[method] as (args: object, cx: never) => unknown)(args, cx) as never
}
