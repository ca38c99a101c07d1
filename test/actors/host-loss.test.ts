/** A host that falls silent: what it ran is started elsewhere, and not before it has stopped it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv, type NodeConfig, type ServiceInfo, type ServiceSpec } from '../../actors/records.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { ActorDefinition, ActorStart } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { type Change, inLiveZone, type LiveZone } from './live-zone.ts'

const loss = suite('a host that is lost')
const { hostConfirmMs, hostFenceMs, hostLostMs, nodeDownMs } = limits

/** Hosts whose daemons reach no system-config. */
const cut = new Set<string>()
const cuttable: Change = (definition) => ({
  ...definition,
  start(start: ActorStart) {
    const client = start.needs['systemConfig'] as unknown as Record<string, (...args: unknown[]) => unknown>
    const isCut = (): boolean => cut.has(start.self.host)
    const fail = (): never => {
      throw new Unavailable('Planted')
    }
    const call = (method: string) => async (...args: unknown[]): Promise<unknown> => {
      if (isCut()) fail()
      const answer = await client[method]!(...args)
      if (isCut()) fail()
      return answer
    }
    async function* watch(...args: unknown[]): AsyncIterable<unknown> {
      for await (const item of client['watch']!(...args) as AsyncIterable<unknown>) {
        if (isCut()) fail()
        yield item
      }
    }
    const systemConfig = {
      get: call('get'), set: call('set'), dump: call('dump'), dumpDigest: call('dumpDigest'), watch,
    } as unknown as Client<typeof SystemConfig>
    return definition.start({ ...start, needs: { ...start.needs, systemConfig } as unknown as ActorStart['needs'] })
  },
} as ActorDefinition)

const runs = ({ zone }: LiveZone): string =>
  zone.hosts().filter(({ actors }) => actors.some(({ name, state }) => name === 'service' && state === 'serving'))
    .map(({ host }) => host).join()
const info = async (live: LiveZone): Promise<ServiceInfo> =>
  JSON.parse(await live.read(kv.info('service')) ?? '') as ServiceInfo
const change = async (live: LiveZone, more: Partial<ServiceSpec>): Promise<void> => {
  const spec = JSON.parse(await live.read(kv.spec('service')) ?? '') as ServiceSpec
  await live.set(kv.spec('service'), { ...spec, ...more })
}
/** Looks once a second until it holds; seconds that it took. */
const until = async (live: LiveZone, withinMs: number, holds: () => boolean): Promise<number> => {
  for (let ms = 0; ms <= withinMs; ms += 1_000) {
    if (holds()) return ms
    await live.pause(1_000)
  }
  throw new Error(`After ${withinMs} ms it runs on ${runs(live)}`)
}
/** Runs on node1 by a label, with room to go. */
const onNode1 = async (live: LiveZone, more: Partial<ServiceSpec> = {}): Promise<void> => {
  await live.pause(20_000)
  await live.setPath(kv.node('ood1'), '/state', 'draining')
  await until(live, 20_000, () => runs(live) === 'node1')
  await live.setPath(kv.node('ood1'), '/state', 'running')
  await change(live, more)
  await live.pause(5_000)
  assert.is(runs(live), 'node1')
}

loss('stops what may run elsewhere before that is started there, and does not take it back', async () => {
  cut.clear()
  await inLiveZone(async (live) => {
    await onNode1(live)
    cut.add('node1')
    const stopped = await until(live, hostFenceMs + hostConfirmMs, () => runs(live) === '')
    assert.ok(stopped >= hostFenceMs - hostConfirmMs - 1_000, `it stopped after ${stopped} ms`)
    const started = stopped + await until(live, nodeDownMs + hostLostMs, () => runs(live) !== '')
    assert.ok(started >= hostLostMs && started <= nodeDownMs + hostLostMs + 15_000, `it was away for ${started} ms`)
    assert.is.not(runs(live), 'node1')
    const there = runs(live)
    assert.match(await live.read(kv.host('node1')) ?? '', /^\{"host":"node1","state":"lost","since":\d+\}$/)
    cut.clear()
    await live.pause(60_000)
    assert.match(await live.read(kv.host('node1')) ?? '', /"alive"/)
    assert.is(runs(live), there)
    assert.equal(await info(live), { name: 'service', hosts: [there] })
    assert.ok(live.logs.some(({ host, message }) => host === 'node1' && message.includes('may run elsewhere by now')))
  }, { 'node-daemon': cuttable }, { nodes: 3 })
})

loss('is not believed to be, where more than half of all are silent', async () => {
  cut.clear()
  await inLiveZone(async (live) => {
    await onNode1(live)
    for (const name of ['node1', 'node2', 'node3']) cut.add(name)
    await live.pause(nodeDownMs + 2 * hostLostMs)
    assert.equal(await info(live), { name: 'service', hosts: ['node1'], states: { node1: 'lost' } })
    assert.is(runs(live), '', 'a host cannot know who else is cut off')
    cut.clear()
    await until(live, 60_000, () => runs(live) === 'node1')
    await live.pause(30_000)
    assert.equal(await info(live), { name: 'service', hosts: ['node1'] })
  }, { 'node-daemon': cuttable }, { nodes: 3 })
})

loss('keeps what has its state there, running, and that is told', async () => {
  cut.clear()
  await inLiveZone(async (live) => {
    await onNode1(live, { stateful: true })
    cut.add('node1')
    await live.pause(nodeDownMs + hostLostMs + 30_000)
    assert.equal(await info(live), {
      name: 'service', hosts: ['node1'], states: { node1: 'lost' }, reason: 'its state lies on node1',
    })
    assert.is(runs(live), 'node1')
  }, { 'node-daemon': cuttable }, { nodes: 3 })
})

loss('and comes back before it is given up runs on as it was, once it is heard of', async () => {
  cut.clear()
  await inLiveZone(async (live) => {
    await onNode1(live)
    cut.add('node1')
    await until(live, hostFenceMs + hostConfirmMs, () => runs(live) === '')
    cut.clear()
    await until(live, 45_000, () => runs(live) === 'node1')
    const node = JSON.parse(await live.read(kv.node('node1')) ?? '') as NodeConfig
    assert.ok(node.services['service'])
  }, { 'node-daemon': cuttable }, { nodes: 3 })
})

loss('while it starts again starts nothing that may run elsewhere until it is heard of', async () => {
  cut.clear()
  await inLiveZone(async (live) => {
    await onNode1(live)
    await live.set(kv.host('node1'), { host: 'node1', state: 'lost', since: 1 })
    await live.zone.killHost('node1')
    await live.pause(10_000)
    assert.is(live.zone.hosts().find(({ host }) => host === 'node1')?.state, 'serving')
    assert.is(runs(live), '')
    await live.remove(kv.host('node1'))
    await until(live, hostConfirmMs + 5_000, () => runs(live) === 'node1')
  }, { 'node-daemon': cuttable }, { nodes: 3 })
})

loss.run()
