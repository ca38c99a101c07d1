/** kill -9 at each phase of a move into a real etcd of three members over TLS, and of its members as it goes on. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { plainErrors } from './compliance/store/checks.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'
import type { EtcdLocation } from './runtime/move-fixture.ts'
import { killRun } from './runtime/move-kills.ts'

let cluster: EtcdCluster
let prefixes = 0
const kills = suite('move: kills')
const test = (title: string, body: () => Promise<void>): void => kills(title, () => plainErrors(body))
kills.before(async () => { cluster = await startCluster() })
kills.after(() => cluster.end())

const target = (): EtcdLocation => ({
  type: 'etcd', endpoints: cluster.endpoints, prefix: `/kills/${++prefixes}`, credentials: cluster.credentials,
})

test('killed once at each phase, one after the other: it goes on, and all is there in the end', async () => {
  const dieAt = ['locked', 'copying', 600, 'following', 'fenced', 'verified', 'active']
  const { faults, entries } = await killRun({ to: target(), entries: 2_000, dieAt })
  assert.equal(faults, [])
  assert.ok(entries >= 2_000)
})

test('killed when the source is retired, or all is done: it is in etcd, and nothing is left to do', async () => {
  for (const phase of ['retired', 'done']) {
    const { faults } = await killRun({ to: target(), entries: 1_000, dieAt: [phase] })
    assert.equal(faults, [], phase)
  }
})

test('a member of etcd is killed as it goes on, and another one stands still: nobody notices in the end', async () => {
  const [one, two] = cluster.members as readonly [EtcdCluster['members'][number], EtcdCluster['members'][number]]
  const moving = killRun({ to: target(), entries: 4_000, dieAt: [1_500], failures: 1 })
  await new Promise((resolve) => setTimeout(resolve, 600))
  await one.kill()
  await new Promise((resolve) => setTimeout(resolve, 800))
  one.start()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  two.freeze()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  two.thaw()
  assert.equal((await moving).faults, [])
})

kills.run()
