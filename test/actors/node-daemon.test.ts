/** What the node daemon makes of its config, by itself and in a whole zone in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { difference, type Difference, type Known, type Wanted } from '../../actors/node-daemon/converge.ts'
import { kv, type NodeConfig, type ServiceSpec } from '../../actors/records.ts'
import { defaultConfig } from '../../boot/config.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { type Change, inLiveZone } from './live-zone.ts'

const pure = suite('difference')

const spec = (name: string): ServiceSpec => ({
  name,
  appid: name,
  owner: null,
  runtimeType: 'service',
  kernel: false,
  audiences: [],
})

/** `services` by target; every one has a spec but those named `bare`. */
function wanted(
  targets: Readonly<Record<string, 'running' | 'stopped'>>,
  state: NodeConfig['state'] = 'running',
): Wanted {
  const names = Object.keys(targets)
  const services = Object.fromEntries(names.map((name) => [name, { target: targets[name]!, specRevision: 1 }]))
  const specs = new Map(
    names.filter((name) => name !== 'bare').map((name) => [name, { spec: spec(name), revision: 1 }]),
  )
  return { config: { host: 'h1', state, services }, revision: 1, specs, unreadable: new Set() }
}
const known = (states: Readonly<Record<string, string>>, more: Partial<Known> = {}): Known[] =>
  Object.entries(states).map(([name, state]) => ({ name, state, kind: 'worker', version: '1', managed: true, ...more }))
/** With nothing to do for the others. */
const differs = (only: Partial<Difference>): Difference => ({ start: [], stop: [], replace: [], ...only })
const program: ServiceSpec['run'] = { command: ['/bin/true'] }

pure('what is down and wanted starts, in order of name, and what is up or on its way is left alone', () => {
  const all = wanted({ d: 'running', a: 'running', b: 'running', c: 'running', e: 'running' })
  const states = known({ d: 'failed', a: 'stopped', b: 'serving', c: 'starting', e: 'restarting' })
  assert.equal(difference(all, states), differs({ start: ['a', 'd'] }))
})

pure('what is up and not wanted stops: by its target, by its host, or because the config does not name it', () => {
  const states = known({ a: 'serving', b: 'starting', c: 'restarting', d: 'stopped', e: 'failed' })
  const some = wanted({ a: 'stopped', b: 'running', c: 'stopped' })
  assert.equal(difference(some, states), differs({ stop: ['a', 'c'] }))
  const host = wanted({ a: 'running', d: 'running' }, 'stopped')
  assert.equal(difference(host, states), differs({ stop: ['a', 'b', 'c'] }))
  const drained = wanted({ a: 'running', d: 'running' }, 'draining')
  assert.equal(difference(drained, states), differs({ start: ['d'], stop: ['b', 'c'] }), 'what has nowhere to go stays')
  assert.equal(difference(wanted({}), states), differs({ stop: ['a', 'b', 'c'] }))
})

pure('what manages the host is neither started nor stopped, whatever the config says', () => {
  const unmanaged = known({ vault: 'serving', 'boot-scheduler': 'stopped' }, { managed: false })
  const states = [...unmanaged, ...known({ a: 'stopped' })]
  assert.equal(difference(wanted({ 'boot-scheduler': 'running', a: 'running' }), states), differs({ start: ['a'] }))
})

pure('what this host cannot run, or what has no spec, is not started', () => {
  assert.equal(difference(wanted({ ghost: 'running', bare: 'running' }), known({ bare: 'stopped' })), differs({}))
})

pure('what runs from another spec is replaced, once the config has seen the new one', () => {
  const states = known({ a: 'serving', b: 'starting', c: 'restarting', d: 'failed', e: 'stopping' }, { version: '7' })
  const all = wanted({ a: 'running', b: 'running', c: 'running', d: 'running', e: 'running' })
  assert.equal(difference(all, states), differs({ replace: ['a', 'b', 'c'], start: ['d', 'e'] }))
  const specs = new Map([...all.specs].map(([name, each]) => [name, { ...each, revision: 8 }]))
  assert.equal(difference({ ...all, specs }, states), differs({ start: ['d', 'e'] }), 'its config follows')
})

pure('a process needs no actor of its name: it starts from its spec, and stops when that is a process no more', () => {
  const all = wanted({ a: 'running', b: 'running', ghost: 'running' })
  for (const name of ['a', 'b']) all.specs.get(name)!.spec.run = program
  assert.equal(difference(all, known({ b: 'serving' }, { kind: 'process' })), differs({ start: ['a'] }))
  delete all.specs.get('b')!.spec.run
  assert.equal(difference(all, known({ b: 'serving' }, { kind: 'process' })), differs({ start: ['a'], stop: ['b'] }))
})

pure('one whose spec nobody can read stays as it is', () => {
  const all = { ...wanted({ a: 'running', b: 'running' }), specs: new Map(), unreadable: new Set(['a', 'b']) }
  assert.equal(difference(all, known({ a: 'serving', b: 'stopped' })), differs({}))
})

pure.run()

const live = suite('a host')
const node = kv.node(defaultConfig.host)
const services = ['gateway', 'scheduler', 'service', 'verify-hub']

live('that is stopped stops what it runs, and starts it again when it is not', async () => {
  await inLiveZone(async (zone) => {
    await zone.setPath(node, '/state', 'stopped')
    await zone.pause(10_000)
    assert.is(services.map(zone.state).join(), 'stopped,stopped,stopped,stopped')
    assert.is(zone.state('vault'), 'serving')
    await zone.setPath(node, '/state', 'running')
    await zone.pause(10_000)
    assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving')
  })
})

live('whose config changed while its daemon was down follows it afterwards', async () => {
  await inLiveZone(async (zone) => {
    await zone.zone.kill('node-daemon')
    await zone.setPath(node, '/state', 'stopped')
    assert.is.not(zone.state('node-daemon'), 'serving')
    await zone.pause(15_000)
    assert.is(services.map(zone.state).join(), 'stopped,stopped,stopped,stopped')
  })
})

live('stops a service that is no longer placed, and nobody is told to find it here', async () => {
  await inLiveZone(async (zone) => {
    await zone.remove(kv.spec('service'))
    await zone.pause(5_000)
    assert.is(zone.state('service'), 'stopped')
    assert.is(await zone.read('services/service/info'), '{"name":"service","hosts":[]}')
  })
})

live('tries a service that did not start again, ever more slowly, until it starts', async () => {
  let failures = 0
  let starts: number[] = []
  const failing: Change = (definition: ActorDefinition) => ({
    ...definition,
    start(start) {
      starts.push(start.clock.now())
      if (failures-- > 0) throw new Error('Planted')
      return definition.start(start)
    },
  })
  await inLiveZone(async (zone) => {
    await zone.setPath(node, '/services/service/target', 'stopped')
    await zone.pause(2_000)
    assert.is(zone.state('service'), 'stopped')
    failures = 4
    starts = []
    await zone.setPath(node, '/services/service/target', 'running')
    await zone.pause(25_000)
    assert.is(zone.state('service'), 'serving')
    const waits = starts.slice(1).map((at, index) => at - starts[index]!)
    assert.is(waits.length, 4)
    for (const [index, wait] of waits.slice(1).entries()) assert.ok(wait > 1.5 * waits[index]!, waits.join())
    assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving', 'the others were left alone')
  }, { service: failing })
})

live('replaces a worker whose spec was changed, and brings back what needs it; others go on', async () => {
  await inLiveZone(async (zone) => {
    const starts = (name: string) =>
      zone.events.filter((each) => each.actor === name && each.state === 'serving').length
    const before = services.map(starts)
    await zone.setPath(kv.spec('verify-hub'), '/generation', 1)
    await zone.pause(10_000)
    assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving')
    const after = services.map(starts)
    // gateway, scheduler and service need verify-hub
    assert.equal(after.map((count, index) => count - before[index]!), [1, 1, 1, 1])
    await zone.setPath(kv.spec('service'), '/generation', 1)
    await zone.pause(10_000)
    assert.equal(services.map(starts).map((count, index) => count - after[index]!), [0, 0, 1, 0])
    await zone.pause(3 * limits.convergeRoundMs)
    assert.equal(services.map(starts).map((count, index) => count - after[index]!), [0, 0, 1, 0], 'and no more')
  })
})

live('stops a service whose spec says so, and starts it again when it does not', async () => {
  await inLiveZone(async (zone) => {
    await zone.setPath(kv.spec('service'), '/state', 'stopped')
    await zone.pause(5_000)
    assert.is(zone.state('service'), 'stopped')
    assert.is(await zone.read('services/service/info'), '{"name":"service","hosts":[]}')
    await zone.pause(2 * limits.schedulerRoundMs)
    assert.is(zone.state('service'), 'stopped')
    await zone.setPath(kv.spec('service'), '/state', 'running')
    await zone.pause(5_000)
    assert.is(zone.state('service'), 'serving')
  })
})

live('tells of a process that it cannot run, tries it ever more slowly, and goes on with the others', async () => {
  await inLiveZone(async (zone) => {
    const spec = (run: object) => ({
      name: 'notes', appid: 'notes', owner: null, runtimeType: 'service', kernel: false, audiences: [], run,
    })
    await zone.createAll({ [kv.spec('notes')]: spec({ command: ['/bin/true'] }) })
    await zone.setPath(kv.spec('service'), '/generation', 1)
    await zone.pause(limits.convergeRoundMs)
    const told = zone.logs.filter(({ message }) => message.startsWith('notes did not start'))
    assert.ok(told.length > 2 && told.length < 9, `${told.length} times`)
    assert.match(told[0]!.message, /processes\.allow does not name \/bin\/true/)
    assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving')
    await zone.set(kv.spec('service'), '{')
    await zone.pause(limits.convergeRoundMs)
    assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving')
  })
})

live(
  'whose config nobody can read changes nothing, complains now and then, and follows the next that it is given',
  async () => {
    await inLiveZone(async (zone) => {
      const before = await zone.read(node)
      await zone.set(node, 'no JSON')
      const told = zone.logs.length
      await zone.pause(limits.schedulerRoundMs + 5_000)
      assert.is(await zone.read(node), before, 'the scheduler writes it anew')
      assert.is(services.map(zone.state).join(), 'serving,serving,serving,serving')
      const complaints = zone.logs.slice(told).filter(({ actor }) => actor === 'node-daemon')
      assert.ok(complaints.length > 0 && complaints.length < 12, `${complaints.length} complaints`)
      await zone.setPath(node, '/services/service/target', 'stopped')
      await zone.pause(2_000)
      assert.is(zone.state('service'), 'stopped')
    })
  },
)

live.run()
