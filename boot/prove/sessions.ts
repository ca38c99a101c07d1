import { kv } from '../../actors/records.ts'
import { Service } from '../../actors/service/protocol.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import type { Attempt, Prepare } from './judge.ts'
import { APPID, type Pair, type Scene } from './scene.ts'

type Hub = Client<typeof VerifyHub>

const denied = (name: string, reason: DenialReason, prepare: Prepare): Attempt =>
  ({ name, group: 'sessions', expected: { code: 'Denied', reason }, prepare })

const hubOf = async (scene: Scene): Promise<Hub> => (await scene.connect(VerifyHub)).client

/** A session of the prover's own, logged out; what may still be done with its tokens. */
const loggedOut = (name: string, attempt: (hub: Hub, pair: Pair) => Promise<unknown>): Attempt =>
  denied(name, 'token/revoked', async (scene) => {
    const pair = await scene.login()
    const hub = await hubOf(scene)
    await hub.logout({ refreshToken: pair.refreshToken })
    return () => attempt(hub, pair)
  })

/** The same where nobody asks verify-hub: it has told them before it answered who logged out. */
const loggedOutAt = (
  name: string, show: (scene: Scene, sessionToken: string) => Promise<() => Promise<unknown>>,
): Attempt => denied(name, 'token/revoked', async (scene) => {
  const pair = await scene.login(APPID, ['system-config'])
  const attempt = await show(scene, pair.sessionToken)
  // What is logged out was let in before
  await attempt()
  await (await hubOf(scene)).logout({ refreshToken: pair.refreshToken })
  return attempt
})

/** A login for what should get none, by an actor of that very name: only what verify-hub knows can refuse it. */
const loginAs = (name: string, appid: string, reason: DenialReason, audiences: readonly string[] = []): Attempt =>
  denied(name, reason, async (scene) => {
    const { client } = await scene.connect(VerifyHub, { actor: appid })
    const jwt = scene.token('login', { appid })
    return async () => scene.keep(await client.loginByJwt({ jwt, audiences: [...audiences] }))
  })

/** Who shows a used refresh token ends the session: the thief's and the victim's alike. */
const endsTheSession = (
  name: string, reason: DenialReason, show: (scene: Scene, used: Pair) => Promise<() => Promise<unknown>>,
): Attempt => denied(name, reason, async (scene) => {
  const used = await scene.login()
  const attempt = await show(scene, used)
  const hub = scene.zone.get(VerifyHub)
  return async () => {
    try {
      return await attempt()
    } catch (error) {
      const { active } = await hub.verifySession({ sid: used.sid })
      // Not a refusal: the one who was robbed would go on beside the thief
      if (active) throw new Error(`The session goes on after: ${String(error)}`)
      throw error
    }
  }
})

export const sessionAttacks: readonly Attempt[] = [
  denied('A login token is used again by another key', 'token/replayed', async (scene) => {
    const jwt = scene.token('login')
    scene.keep(await (await hubOf(scene)).loginByJwt({ jwt }))
    const { client } = await scene.connect(VerifyHub, { key: scene.stranger })
    return async () => scene.keep(await client.loginByJwt({ jwt }))
  }),
  loginAs('A login for a service that is not installed', 'prove-nowhere', 'login/app'),
  loginAs('A login for verify-hub', 'verify-hub', 'login/role'),
  loginAs('A login for the vault', 'vault', 'login/role'),
  loginAs('A login that asks for the audience of the vault', APPID, 'login/audience', ['vault']),
  loginAs('A login that asks for the audience of verify-hub', APPID, 'login/audience', ['verify-hub']),
  loggedOut('A session is refreshed after logout', (hub, { refreshToken }) => hub.refreshToken({ refreshToken })),
  loggedOut('A session is verified after logout', (hub, { sessionToken }) =>
    hub.verifyToken({ sessionToken, audience: APPID })),
  loggedOutAt('A session after logout, at a service', async (scene, token) => {
    const { client } = await scene.connect(Service)
    return () => client.greet({ greeting: 'Hello' }, { token })
  }),
  loggedOutAt('A session after logout, at system-config', async (scene, token) => {
    const { client } = await scene.connect(SystemConfig)
    return () => client.get({ key: kv.bootConfig }, { token })
  }),
  endsTheSession('A refresh token is used by another key', 'refresh/holder', async (scene, { refreshToken }) => {
    const { client } = await scene.connect(VerifyHub, { key: scene.stranger })
    return () => client.refreshToken({ refreshToken })
  }),
  endsTheSession('A refresh token is used again after its successor', 'refresh/reused', async (scene, used) => {
    const { refreshToken } = used
    const hub = await hubOf(scene)
    const second = await hub.refreshToken({ refreshToken })
    await hub.refreshToken({ refreshToken: second.refreshToken })
    return () => hub.refreshToken({ refreshToken })
  }),
]
