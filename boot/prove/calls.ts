import { kv } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { fromWire } from '../../runtime/errors.ts'
import type { Message } from '../../runtime/link/link.ts'
import { BIND, CALL, ERROR, HELLO, NEVER, planOf, RESULT, type Plan } from '../../runtime/link/rpc.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Attempt, Refusal } from './judge.ts'
import { APPID, scratchKey, type Scene } from './scene.ts'

const systemConfig = SystemConfig.name
const malformed: Refusal = { code: 'FrameRejected', reason: 'malformed' }
const otherProtocol: Refusal = { code: 'HandshakeFailed', reason: 'protocol differs' }

/** By the very token of the attack: only how the call is made can be why it is refused. @returns the token */
async function writeFirst(scene: Scene): Promise<string> {
  const { sessionToken: token } = await scene.session(APPID, ['system-config'])
  const { client } = await scene.connect(SystemConfig)
  await client.set({ key: scratchKey, value: '{}' }, { token })
  return token
}

type Say = (index: (method: string) => number, token: string) => readonly Message[]

/** A caller of our own making on an honest link: it says what it likes. Settles with the first answer. */
function speak(
  name: string, expected: Refusal, say: Say,
  greet: (plan: Plan) => readonly Message[] = ({ protocol, methodsHash }) => [[HELLO, protocol, methodsHash]],
): Attempt {
  return {
    name, group: 'calls', expected, untouched: () => [kv.bootConfig, scratchKey],
    async prepare(scene) {
      const plan = planOf(SystemConfig, scene.platform.keys)
      const sessionToken = await writeFirst(scene)
      const { link } = await scene.link(systemConfig)
      return () => new Promise((resolve, reject) => {
        link.receive((message) => {
          if (message[0] === RESULT) resolve(message[2])
          if (message[0] !== ERROR) return
          const [, , code, text, details] = message as [number, number, string, string, Record<string, unknown>]
          reject(fromWire({ code, message: text, details }))
        }, reject)
        const said = say((method) => plan.byName.get(method)!.index, sessionToken)
        for (const message of [...greet(plan), ...said]) link.send(message)
      })
    },
  }
}

type Call = (client: Client<typeof SystemConfig>, settings: { token: string }) => Promise<unknown>

/** A call by the ordinary client, with arguments that the types would not let pass. */
const withArguments = (name: string, code: string, call: Call): Attempt => ({
  name, group: 'calls', expected: { code, reason: '' }, untouched: () => [kv.bootConfig, scratchKey],
  async prepare(scene) {
    const token = await writeFirst(scene)
    const { client } = await scene.connect(SystemConfig)
    return () => call(client, { token })
  },
})

const write = (value: string) => ({ actions: { [scratchKey]: { action: 'update', value } } })

const read: Say = (index, token) => [[BIND, 1, token], [CALL, 1, index('get'), NEVER, 1, { key: kv.bootConfig }]]

export const callAttacks: readonly Attempt[] = [
  speak('A method that asks for a signature is called without one', { code: 'Denied', reason: 'link/suite' },
    (index, token) => [[BIND, 1, token], [CALL, 1, index('execTx'), NEVER, 1, write('unsigned')]]),
  speak('A token is named that was never bound', { code: 'Denied', reason: 'link/no-token' },
    (index) => [[CALL, 1, index('get'), NEVER, 7, { key: kv.bootConfig }]]),
  speak('A call before the greeting', malformed, read, () => []),
  speak('A caller of another protocol', otherProtocol, read,
    ({ methodsHash }) => [[HELLO, 'vault', methodsHash]]),
  speak('A caller of another version', otherProtocol, read,
    ({ protocol }) => [[HELLO, protocol, 'A'.repeat(43)]]),
  speak('A method that does not exist', malformed, () => [[CALL, 1, 999, NEVER, 0, {}]]),
  speak('The number of a call is used a second time', malformed, (index, token) => {
    const call = [CALL, 2, index('get'), NEVER, 1, { key: kv.bootConfig }]
    return [[BIND, 1, token], call, call]
  }),
  speak('A caller sends an answer', malformed, (index, token) => [[RESULT, 1, {}], ...read(index, token)]),
  speak('A token longer than any that exists', malformed, (index) => read(index, 'x'.repeat(limits.token + 1))),
  speak('A token is bound beyond the last slot', malformed, (index, token) =>
    [[BIND, limits.boundTokens + 1, token], ...read(index, token)]),
  withArguments('A number where text is asked for', 'InvalidArgument', (client, settings) =>
    client.get({ key: 7 } as never, settings)),
  withArguments('An argument that the method does not have', 'InvalidArgument', (client, settings) =>
    client.get({ key: kv.bootConfig, admin: true } as never, settings)),
  withArguments('A path that climbs out of its folder', 'InvalidKey', (client, settings) =>
    client.set({ key: `services/${APPID}/instances/../../../boot/config`, value: '{}' }, settings)),
  withArguments('A path with an escaped slash', 'InvalidKey', (client, settings) =>
    client.get({ key: `services/${APPID}%2f..%2f..%2fboot/config` }, settings)),
  withArguments('A path to what every object inherits', 'InvalidKey', (client, settings) =>
    client.set({ key: `services/${APPID}/instances/__proto__`, value: '{}' }, settings)),
  withArguments('A JSON path to what every object inherits', 'InvalidPath', (client, settings) =>
    client.setByJsonPath({ key: scratchKey, path: '/__proto__/admin', value: 'true' }, settings)),
  withArguments('One transaction names a key twice', 'InvalidKey', (client, settings) => client.execTx({
    actions: { [scratchKey]: { action: 'remove' }, [`kv://${scratchKey}`]: { action: 'update', value: '{}' } },
  }, settings)),
]
