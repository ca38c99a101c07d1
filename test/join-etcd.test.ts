/** A host joins a zone whose stores are in a real etcd of three, by the documented 18 steps; a member dies too. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Vault } from '../actors/vault/protocol.ts'
import type { Evidence } from '../runtime/actor.ts'
import { Unavailable } from '../runtime/errors.ts'
import { newFolder, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone, type StepTold } from './boot-fixtures/joining.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from './boot-fixtures/pem-cluster.ts'
import { pemsIn } from './boot-fixtures/pems.ts'

let zone: JoiningZone | undefined
let cluster: PemCluster | undefined

test.before(async () => {
  const endpoints = await freeEndpoints()
  const etcd = `xline_config: { endpoints: ${JSON.stringify(endpoints)}, prefix: /zones }\n`
  zone = await joiningZone(etcd, newFolder(), async (folder, config) => {
    const { error } = await pemsIn(folder, { config })
    assert.is(error, undefined, error?.message)
    cluster = await startPemCluster(folder, endpoints)
  })
})
test.after(async () => {
  await zone?.stop()
  await cluster?.end()
  removeFolders()
})

test('all 18 steps, with the vault on etcd; what the host was given is kept there', async () => {
  const { steps, control, join, token, zone: running } = zone!
  const before = steps.length
  const made = await token('node1')
  const told: StepTold[] = []
  const onStep = (number: number, evidence: Evidence): void => void told.push([number, evidence])
  const joined = await join(made, { onStep })
  // 5 and 6 are those of the command, which writes and reads the files
  const ofZone = steps.slice(before).map(({ number }) => number).sort((left, right) => left - right)
  assert.equal(ofZone, [1, 2, 3, 4, 8, 11, 12, 13, 14, 15, 16])
  assert.equal([7, 9, 10, 17, 18].filter((number) => !told.some(([each]) => each === number)), [])
  const tokens = (await control('GET', '/join-tokens')).value as { tokens: { id: string; state: string }[] }
  assert.equal(tokens.tokens.map(({ id, state }) => [id, state]), [[made.record.id, 'used']])
  const { certificates } = await running.get(Vault).certificates({ mount: 'pki', limit: 1_000 })
  assert.ok(certificates.some(({ serial }) => serial === joined.serial))
})

test('while a member of etcd is dead a host joins, and its retry gets the same certificate', async () => {
  await cluster!.members[0]!.kill()
  const made = await zone!.token('node2')
  const device = platform.keys.generate(platform.random)
  let lost = 0
  const transport = {
    ...platform.transport,
    // The first answer to the request is lost on its way
    connectHttp: async (...to: Parameters<typeof platform.transport.connectHttp>) => {
      const connection = await platform.transport.connectHttp(...to)
      const request: typeof connection.request = async (call) => {
        const answer = await connection.request(call)
        if (call.path !== '/join/request' || lost++ > 0) return answer
        for await (const piece of answer.body) void piece
        throw new Unavailable('The answer was lost')
      }
      return { ...connection, request }
    },
  }
  const joined = await zone!.join(made, { device, attempts: 4, platform: { ...platform, transport } })
  assert.is(lost > 1, true)
  const { certificates } = await zone!.zone.get(Vault).certificates({ mount: 'pki', limit: 1_000 })
  const mine = certificates.filter(({ names }) => names.includes('spiffe://zone.local/node/node2'))
  assert.equal(mine.map(({ serial }) => serial), [joined.serial])
  cluster!.members[0]!.start()
})

test.run()
