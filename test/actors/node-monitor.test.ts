/** Which hosts are up, by what they tell of themselves. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { Changes } from '../../actors/node-monitor/changes.ts'
import { Liveness, type NodeState } from '../../actors/node-monitor/liveness.ts'
import { NodeMonitor } from '../../actors/node-monitor/protocol.ts'
import { kv, type DeviceInfo } from '../../actors/records.ts'
import { limits } from '../../runtime/limits.ts'
import { defaultConfig } from '../../boot/config.ts'
import { inLiveZone, type LiveZone } from './live-zone.ts'

const { reportMs, nodeSuspectMs, nodeDownMs } = limits

/** A watch with a clock of its own, whose wall clock is elsewhere. */
function watch(...names: readonly string[]) {
  const told: string[] = []
  const liveness = new Liveness(({ name, state }) => told.push(`${name} ${state}`))
  let ms = 0
  const at = () => ({ monotonic: ms, now: 1_000_000 + ms })
  const reports = new Map<string, number>()
  const info = (name: string, report: number, incarnation = 1): DeviceInfo => ({
    name, report, incarnation, addresses: [], runtime: '', processors: 1, load: 0, memoryBytes: 0, memoryFreeBytes: 0,
    diskBytes: 0, diskFreeBytes: 0,
  })
  liveness.hosts(new Map(names.map((name) => [name, 'node'])), at())
  return {
    told, liveness, at, info,
    state: (name: string) => liveness.list().find((node) => node.name === name)?.state,
    report(name: string, incarnation?: number) {
      const number = (reports.get(name) ?? 0) + 1
      reports.set(name, number)
      liveness.reported(info(name, number, incarnation), at())
    },
    /** Time passes, and it looks when it said that it would. */
    pass(span: number) {
      for (const until = ms + span; ms < until;) {
        ms = Math.min(until, Math.max(ms + 1, liveness.nextLook ?? until))
        liveness.look(at())
      }
    },
  }
}

test('a host is up by its first report, suspect when it is late, and down when it stays silent', () => {
  const { nodeSuspectMs, nodeDownMs } = limits
  const { told, report, pass, state } = watch('a')
  report('a')
  pass(nodeSuspectMs - 1)
  assert.is(state('a'), 'up')
  pass(1)
  assert.is(state('a'), 'suspect')
  pass(nodeDownMs - nodeSuspectMs - 1)
  assert.is(state('a'), 'suspect')
  pass(1)
  assert.equal(told, ['a unknown', 'a up', 'a suspect', 'a down'])
  pass(10 * nodeDownMs)
  assert.is(told.length, 4, 'what is down stays down without another word')
})

test('a host that was missed is up after as many reports in time as the limit, and not by one', () => {
  const { told, report, pass, state } = watch('a')
  report('a')
  pass(nodeDownMs)
  for (let round = 1; round < limits.nodeReportsUp; round++) {
    report('a')
    assert.is(state('a'), 'suspect')
    pass(reportMs)
  }
  report('a')
  assert.is(state('a'), 'up')
  told.length = 0
  for (let round = 0; round < 5; round++) {
    pass(nodeSuspectMs + 1_000)
    report('a')
  }
  assert.equal(told, ['a suspect'], 'one that is always late does not come and go')
})

test('a host that is never heard of is down in time, and unknown until then', () => {
  const { pass, state, liveness } = watch('a')
  assert.is(liveness.nextLook, nodeDownMs)
  pass(nodeDownMs - 1)
  assert.is(state('a'), 'unknown')
  pass(1)
  assert.is(state('a'), 'down')
  assert.is(liveness.nextLook, undefined, 'there is nothing to wait for')
})

test('what was written before the watch began says nothing of who lives, and the same report is told once', () => {
  const { liveness, info, at, state, pass } = watch('a')
  liveness.known(info('a', 7))
  assert.is(state('a'), 'unknown')
  liveness.reported(info('a', 7), at())
  assert.is(state('a'), 'unknown', 'nothing new')
  liveness.reported(info('a', 7, 2), at())
  assert.is(state('a'), 'up', 'the same number of another start is new')
  pass(nodeSuspectMs - 1)
  liveness.reported(info('a', 7, 2), at())
  pass(1)
  assert.is(state('a'), 'suspect')
})

test('while the watch hears nothing nobody grows silent, and then each has the time that it had', () => {
  const { liveness, at, pass, report, state, told } = watch('a', 'b')
  report('a')
  pass(nodeSuspectMs - 1_000)
  liveness.deaf(at())
  pass(10 * nodeDownMs)
  assert.equal([state('a'), state('b'), liveness.nextLook], ['up', 'unknown', undefined])
  liveness.hearing(at())
  pass(999)
  assert.is(state('a'), 'up')
  pass(1)
  assert.is(state('a'), 'suspect')
  assert.equal(told, ['a unknown', 'b unknown', 'a up', 'a suspect'])
})

test('hosts come and go, and as many are watched as the limit', () => {
  const { liveness, at, state } = watch('a')
  const hosts = new Map<string, NodeState['role']>()
  for (let index = 0; index <= limits.nodesWatched; index++) hosts.set(`n${index}`, 'node')
  assert.is(liveness.hosts(hosts, at()), 1)
  assert.equal([liveness.size, state('a')], [limits.nodesWatched, undefined])
})

test('a reader who takes nothing is let go with the change that is one too many', () => {
  const closed: unknown[] = []
  const changes = new Changes<number>([], new AbortController().signal, (one) => closed.push(one))
  for (let change = 1; change <= limits.nodeChanges; change++) changes.tell(change)
  assert.is(changes.poll(), 1)
  changes.tell(0)
  changes.tell(0)
  for (let change = 2; change <= limits.nodeChanges; change++) assert.is(changes.poll(), change)
  assert.is(changes.poll(), 0)
  assert.throws(() => changes.poll(), /changes wait/)
  assert.is(closed.length, 1)
})

const nodesOf = async (live: LiveZone): Promise<readonly NodeState[]> => {
  const settings = { token: await live.root('node-monitor') }
  const { result } = await live.zone.get(NodeMonitor).krpc({ method: 'nodes', params: {} }, settings)
  return (result as { nodes: NodeState[] }).nodes
}
const states = async (live: LiveZone): Promise<readonly string[]> =>
  (await nodesOf(live)).map(({ name, state }) => `${name} ${state}`)

const config = { tls: { ...defaultConfig.tls, enable: true } }

test('in a zone each host tells of itself, and one that ends for good is seen to be down', async () => {
  await inLiveZone(async (live) => {
    await live.pause(3 * reportMs)
    assert.equal(await states(live), ['node1 up', 'node2 up', 'ood1 up'])
    const [{ info }] = await nodesOf(live) as readonly [NodeState, ...unknown[]]
    assert.equal([info?.name, info?.runtime, info?.addresses], ['node1', 'simulator', ['127.0.0.1']])
    const snapshot = await live.read('system/scheduler/snapshot')
    await live.pause(5 * reportMs)
    assert.is(await live.read('system/scheduler/snapshot'), snapshot, 'no report makes the scheduler write')
    for (let kill = 0; kill <= limits.restarts; kill++) {
      await live.zone.killHost('node1')
      await live.pause(6_000)
    }
    assert.is(live.zone.hosts().find(({ host }) => host === 'node1')?.state, 'failed')
    await live.pause(nodeSuspectMs)
    assert.equal(await states(live), ['node1 suspect', 'node2 up', 'ood1 up'])
    await live.pause(nodeDownMs - nodeSuspectMs)
    assert.equal(await states(live), ['node1 down', 'node2 up', 'ood1 up'])
    assert.ok(live.logs.some(({ actor, message }) => actor === 'node-monitor' && message === 'A host is down'))
    await live.zone.kill('node-monitor')
    await live.pause(3 * reportMs)
    assert.equal(await states(live), ['node1 unknown', 'node2 up', 'ood1 up'], 'after a restart it looks anew')
    await live.pause(nodeDownMs)
    assert.equal(await states(live), ['node1 down', 'node2 up', 'ood1 up'])
  }, {}, { config, nodes: 2 })
})

test('whether a host is lost is written when it changes, set right where it is wrong, and goes with it', async () => {
  const hosts = async (live: LiveZone): Promise<string> => (await Promise.all(
    (await live.names('system/hosts')).map(async (name) => {
      const { host, state } = JSON.parse(await live.read(kv.host(name)) ?? '') as { host: string; state: string }
      return `${host} ${state}`
    }))).join()
  await inLiveZone(async (live) => {
    await live.pause(5 * reportMs)
    assert.is(await hosts(live), '', 'who was never lost has no record')
    await live.set(kv.host('node1'), { host: 'node1', state: 'lost', since: 1 })
    await live.set(kv.host('gone'), { host: 'gone', state: 'lost', since: 1 })
    await live.zone.kill('node-monitor')
    await live.pause(3 * reportMs)
    assert.is(await hosts(live), 'node1 alive', 'an earlier one wrote them')
    const text = await live.read(kv.host('node1'))
    await live.pause(5 * reportMs)
    assert.is(await live.read(kv.host('node1')), text)
    await live.remove(kv.device('node1'))
    await live.pause(reportMs)
    assert.is(await hosts(live), '')
  }, {}, { config, nodes: 2 })
})

test('a zone that nobody watches has no reports, and who may not ask is told nothing', async () => {
  await inLiveZone(async (live) => {
    await live.zone.get(NodeDaemon).converge({})
    await live.pause(5 * reportMs)
    assert.is(await live.read('devices/ood1/info'), undefined)
  })
  await inLiveZone(async (live) => {
    const monitor = live.zone.get(NodeMonitor)
    const denied = async (token: string | undefined): Promise<string> =>
      monitor.krpc({ method: 'nodes', params: {} }, token === undefined ? {} : { token })
        .then(() => 'allowed', (error: { details?: { reason?: string } }) => String(error.details?.reason))
    assert.is(await denied(undefined), 'token/absent')
    assert.is(await denied(await live.root('system-config')), 'token/audience')
  }, {}, { config })
})

test.run()
