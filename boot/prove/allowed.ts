import { kv, readRecord } from '../../actors/records.ts'
import { Service } from '../../actors/service/protocol.ts'
import { BootConfig, SystemConfig } from '../../actors/system-config/protocol.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import type { Attempt } from './judge.ts'
import { APPID, scratchKey, type Scene } from './scene.ts'

const allowed = (name: string, attempt: (scene: Scene) => Promise<unknown>): Attempt =>
  ({ name, group: 'allowed', expected: 'allowed', prepare: async (scene) => () => attempt(scene) })

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The call was answered, but ${what}`)
}

/** What must work, by the very means that the attacks misuse. */
export const allowedCalls: readonly Attempt[] = [
  allowed('The device reads boot/config by a session it issues itself', async (scene) => {
    const item = await scene.read(kv.bootConfig)
    const { zone } = readRecord(BootConfig, kv.bootConfig, item?.value ?? '')
    expect(zone === scene.zone.config.zone, `boot/config is of zone ${zone}`)
  }),
  allowed('A service logs in by a token of its device', async (scene) => {
    const pair = await scene.login()
    expect(pair.sessionToken !== pair.refreshToken, 'both tokens are the same')
  }),
  allowed('A login whose reply was lost gives the same pair again', async (scene) => {
    const { client } = await scene.connect(VerifyHub)
    const jwt = scene.token('login', { appid: APPID })
    const first = scene.keep(await client.loginByJwt({ jwt }))
    const second = await client.loginByJwt({ jwt })
    expect(JSON.stringify(first) === JSON.stringify(second), 'the pairs differ')
  }),
  allowed('verify-hub says of a session that it is active', async (scene) => {
    const { sessionToken, sid } = await scene.session()
    const claims = await scene.zone.get(VerifyHub).verifyToken({ sessionToken, audience: APPID })
    expect(claims.sid === sid && claims.sub === scene.host, `it is of ${claims.sub}`)
    expect((await scene.zone.get(VerifyHub).verifySession({ sid })).active, 'the session is not active')
  }),
  allowed('A service answers who brings a session for it', async (scene) => {
    const { sessionToken } = await scene.session()
    const { client } = await scene.connect(Service)
    const { text } = await client.greet({ greeting: 'Hello' }, { token: sessionToken })
    expect(text === `Hello, ${scene.host}`, `it said: ${text}`)
  }),
  allowed('A refresh gives a new pair of the same session', async (scene) => {
    const first = await scene.login()
    const { client } = await scene.connect(VerifyHub)
    const second = await client.refreshToken({ refreshToken: first.refreshToken })
    expect(second.sid === first.sid && second.refreshToken !== first.refreshToken, 'it did not rotate')
    const again = await client.refreshToken({ refreshToken: first.refreshToken })
    expect(again.refreshToken === second.refreshToken, 'a retry got another successor')
  }),
  allowed('A service writes its own record, and reads it back', async (scene) => {
    const { sessionToken: token } = await scene.session(APPID, ['system-config'])
    const { client } = await scene.connect(SystemConfig)
    await client.set({ key: scratchKey, value: '{"state":"set"}' }, { token })
    const value = '{"state":"signed"}'
    await client.execTx({ actions: { [scratchKey]: { action: 'update', value } } }, { token })
    const item = await client.get({ key: scratchKey }, { token })
    expect(item?.value === value, `it reads ${item?.value}`)
  }),
  allowed('A service watches its own record change', async (scene) => {
    const { sessionToken: token } = await scene.session(APPID, ['system-config'])
    const { client } = await scene.connect(SystemConfig)
    const { revision: after } = await client.set({ key: scratchKey, value: '{"state":"before"}' }, { token })
    await client.set({ key: scratchKey, value: '{"state":"after"}' }, { token })
    for await (const { value } of client.watch({ prefix: scratchKey, after }, { token, withinMs: 5_000 })) {
      expect(value === '{"state":"after"}', `it saw ${value}`)
      return
    }
    expect(false, 'the watch ended')
  }),
  allowed('The supervisor of this host asks the vault for its state', async (scene) => {
    const { sealed } = await scene.zone.get(Vault).status({})
    expect(!sealed, 'it is sealed')
  }),
]

/** What must hold when all is over. Made before the first attempt, since it compares with what was then. */
export function aftermath(scene: Scene): readonly Attempt[] {
  const states = (): string => JSON.stringify(scene.zone.list()
    .filter(({ state }) => state !== 'stopped').map(({ name, state, incarnation }) => [name, state, incarnation]))
  const before = states()
  return [
    allowed('No attack brought an actor down', async () => expect(states() === before, `now: ${states()}`)),
    allowed('The proof leaves nothing behind', async () => {
      const left = await scene.clear()
      expect(left.length === 0, `there is: ${left.join(', ')}`)
    }),
  ]
}
