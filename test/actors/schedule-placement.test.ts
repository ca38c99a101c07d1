/** The schedule as a function: what follows from a config, whatever it holds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ReadDevice } from '../../actors/read-device.ts'
import { type DeviceDocument, kv, type ServiceSpec } from '../../actors/records.ts'
import {
  actionOf,
  changes,
  type Config,
  derivedPolicyMark,
  policyKey,
  schedule,
} from '../../actors/scheduler/schedule.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'

const pure = suite('schedule')

const readDevice: ReadDevice = (text) => JSON.parse(text) as DeviceDocument
const device = (
  name: string,
  role: 'ood' | 'node' = 'node',
): [string, string] => [kv.device(name), JSON.stringify({ name, role })]
const service = (name: string, more: Partial<ServiceSpec> = {}): [string, string] => [
  kv.spec(name),
  JSON.stringify({
    name,
    appid: name,
    owner: null,
    runtimeType: 'service',
    kernel: false,
    audiences: [],
    ...more,
  }),
]
const user = (
  name: string,
  state = 'active',
  type = 'user',
): [string, string] => [kv.user(name), JSON.stringify({ name, type, state })]
const config = (...entries: [string, string][]): Map<string, string> => new Map(entries)

const ignored: string[] = []
const derive = (from: Config): ReadonlyMap<string, string> =>
  schedule(from, readDevice, ({ message }) => void ignored.push(message))
/** As it is once the schedule was written. */
const applied = (from: Config): Map<string, string> => new Map([...from, ...derive(from)])
const on = (from: Config, host: string): string[] =>
  Object.keys((JSON.parse(derive(from).get(kv.node(host)) ?? '{"services":{}}') as { services: object }).services)
const drained = (from: Config, host: string): Map<string, string> => {
  const node = JSON.parse(from.get(kv.node(host))!) as object
  return new Map([...from, [kv.node(host), JSON.stringify({ ...node, state: 'draining' })]])
}

pure('equal input gives equal text, in whatever order it comes', () => {
  const entries = [
    device('o1', 'ood'),
    device('n1'),
    service('a'),
    service('b', { replicas: 2 }),
    user('zoe'),
    user('al', 'active', 'admin'),
  ]
  const [left, right] = [derive(config(...entries)), derive(config(...entries.reverse()))]
  assert.equal([...left].sort(), [...right].sort())
  assert.equal([...left.keys()].sort(), [
    'nodes/n1/config',
    'nodes/o1/config',
    'services/a/info',
    'services/b/info',
    policyKey,
  ])
})

pure('a service goes to the host with the fewest, by name where they are equal, and to as many as it asks for', () => {
  const hosts = [device('h1'), device('h2'), device('h3')]
  const placed = config(
    ...hosts,
    service('a'),
    service('b'),
    service('c'),
    service('d'),
    service('e', { replicas: 9 }),
    service('f', { replicas: 0 }),
  )
  assert.equal(on(placed, 'h1'), ['a', 'd', 'e'])
  assert.equal(on(placed, 'h2'), ['b', 'e'])
  assert.equal(on(placed, 'h3'), ['c', 'e'])
  assert.is(
    derive(placed).get('services/e/info'),
    '{"name":"e","hosts":["h1","h2","h3"],"missing":6,"reason":"there is no other host"}',
  )
  assert.is(derive(placed).get('services/f/info'), '{"name":"f","hosts":[]}')
})

pure('a kernel service that does not say where runs on every OOD', () => {
  const hosts = config(
    device('a'), device('x', 'ood'), device('z', 'ood'), service('k', { kernel: true }),
    service('one', { kernel: true, replicas: 1 }),
  )
  assert.is(derive(hosts).get('services/k/info'), '{"name":"k","hosts":["x","z"]}')
  assert.is(derive(hosts).get('services/one/info'), '{"name":"one","hosts":["x"]}')
})

pure('a kernel service runs on an OOD or not at all', () => {
  const kernel = service('k', { kernel: true })
  assert.equal(on(config(device('a'), device('z', 'ood'), kernel), 'z'), ['k'])
  assert.is(
    derive(config(device('a'), kernel)).get('services/k/info'),
    '{"name":"k","hosts":[],"missing":1,"reason":"it runs on OODs only, and there is no OOD"}',
  )
})

pure('what runs stays where it is when hosts and services come, and moves when its host is drained', () => {
  const before = applied(config(device('h2'), service('a'), service('b')))
  const grown = applied(new Map([...before, device('h1'), service('c')]))
  assert.equal([on(grown, 'h1'), on(grown, 'h2')], [['c'], ['a', 'b']])
  const moved = applied(drained(grown, 'h2'))
  assert.equal([on(moved, 'h1'), on(moved, 'h2')], [['a', 'b', 'c'], []])
  assert.match(moved.get(kv.node('h2')) ?? '', /"state":"draining"/)
})

pure('hosts that are silent for long lose what they have, but not when they are most of all', () => {
  const lost = (...names: string[]) => names.map((name): [string, string] =>
    [kv.host(name), JSON.stringify({ host: name, state: 'lost', since: 1 })])
  const before = applied(config(device('h1'), device('h2'), device('h3'), device('h4'), service('a'), service('b')))
  const at = (from: Config, silent: readonly string[]): string => (JSON.parse(
    schedule(from, readDevice, () => {}, new Set(silent)).get('services/a/info')!) as { hosts: string[] }).hosts.join()
  assert.is(at(before, []), 'h1')
  const one = new Map([...before, ...lost('h1')])
  assert.equal([at(one, []), at(one, ['h1'])], ['h1', 'h3'])
  assert.match(derive(one).get('services/a/info')!, /"states":\{"h1":"lost"\}/)
  assert.is(at(before, ['h1']), 'h1', 'one that is heard of again')
  assert.is(at(new Map([...one, ...lost('h2')]), ['h1', 'h2']), 'h3')
  assert.is(at(new Map([...one, ...lost('h2', 'h3')]), ['h1', 'h2', 'h3']), 'h1')
  assert.is(at(new Map([...one, [kv.host('h1'), '{']]), ['h1']), 'h1', 'a record that cannot be read says nothing')
})

pure('a service that is stopped runs nowhere, is found nowhere, and comes back where it was', () => {
  const before = applied(config(device('h1'), device('h2'), service('a'), service('b')))
  const at = (from: Config) => ['h1', 'h2'].find((host) => on(from, host).includes('b'))
  const target = (from: Config) =>
    (JSON.parse(from.get(kv.node(at(from)!))!) as { services: Record<string, { target: string }> })
      .services['b']!.target
  assert.equal([at(before), target(before)], ['h2', 'running'])
  const stopped = applied(new Map([...before, service('b', { state: 'stopped' })]))
  assert.equal([at(stopped), target(stopped)], ['h2', 'stopped'])
  assert.is(stopped.get('services/b/info'), '{"name":"b","hosts":[]}')
  const grown = applied(new Map([...stopped, device('h0'), service('c')]))
  const again = applied(new Map([...grown, service('b')]))
  assert.equal([at(again), target(again)], ['h2', 'running'])
  assert.is(again.get('services/b/info'), '{"name":"b","hosts":["h2"]}')
})

pure('any change of a spec is another revision of it, wherever it runs', () => {
  const revision = (from: Config, host: string) =>
    (JSON.parse(from.get(kv.node(host))!) as { services: Record<string, { specRevision: number }> }).services['a']!
      .specRevision
  const before = applied(config(device('h1'), device('h2'), service('a', { replicas: 2 })))
  const raised = applied(new Map([...before, service('a', { replicas: 2, generation: 1 })]))
  assert.is(revision(before, 'h1'), revision(before, 'h2'))
  assert.is(revision(raised, 'h1'), revision(raised, 'h2'))
  assert.is.not(revision(raised, 'h1'), revision(before, 'h1'))
})

pure('lines above the mark are kept as they are, those below it follow from users and services', () => {
  const manual = '# ours\np, admin, obj://x, read|write, allow\n\n  g, guest, nobody'
  const from = config(
    device('h1'),
    service('app'),
    service('k', { kernel: true }),
    user('bo', 'suspended'),
    user('al', 'active', 'admin'),
    [policyKey, `${manual}\n${derivedPolicyMark}\ng, gone, admin\n`],
  )
  const derived = ['g, al, admin', 'g, su_al, sudo', 'g, su_al, su_admin', 'g, app, app']
  const expected = `${[manual, derivedPolicyMark, ...derived].join('\n')}\n`
  assert.is(derive(from).get(policyKey), expected)
  assert.is(derive(applied(from)).get(policyKey), expected)
  assert.is(derive(config()).get(policyKey), `${derivedPolicyMark}\n`)
})

pure('a record that cannot be read is told, keeps what it speaks of as it was, and concerns nobody else', () => {
  const before = applied(config(device('h1'), device('h2'), service('a'), service('b'), user('al')))
  const at = ['h1', 'h2'].find((host) => on(before, host).includes('a'))!
  const broken = new Map([...before, [kv.spec('a'), '{'], [kv.user('bo'), '{"name":"bo"}'], service('c'), user('cy')])
  ignored.length = 0
  const after = applied(broken)
  assert.is(ignored.length, 2)
  assert.ok(on(after, at).includes('a'))
  assert.is(after.get('services/a/info'), before.get('services/a/info'))
  assert.is(JSON.parse(after.get('services/c/info')!).hosts.length, 1)
  assert.match(after.get(policyKey) ?? '', /g, al, user\ng, su_al, sudo\ng, cy, user\ng, su_cy, sudo\n/)
})

pure('a node config that cannot be read, or speaks of another host, is written anew', () => {
  const before = applied(config(device('h1'), service('a')))
  for (const text of ['{', '{"host":"h2","state":"running","services":{}}']) {
    const spoiled = new Map([...before, [kv.node('h1'), text] as const])
    assert.equal(changes(spoiled, derive(spoiled)), [[kv.node('h1'), before.get(kv.node('h1'))]])
    assert.is(actionOf(spoiled, kv.node('h1'), before.get(kv.node('h1'))!).action, 'update')
  }
})

pure('a spec that bears the name of another service moves nothing of that one', () => {
  const before = applied(config(device('h1', 'ood'), service('hub', { kernel: true })))
  const after = applied(new Map([...before, [kv.spec('zz'), service('hub', { replicas: 0 })[1]]]))
  assert.equal(on(after, 'h1'), ['hub'])
  assert.is(after.get('services/hub/info'), before.get('services/hub/info'))
})

pure('of a service that is gone no host is told, and none runs it', () => {
  const before = applied(config(device('h1'), service('a'), service('b')))
  before.delete(kv.spec('a'))
  const after = applied(before)
  assert.is(after.get('services/a/info'), '{"name":"a","hosts":[]}')
  assert.equal(on(after, 'h1'), ['b'])
})

pure('a node config is written in part, and not at all when only its text differs', () => {
  const before = applied(config(device('h1'), service('a')))
  const node = JSON.parse(before.get(kv.node('h1'))!) as { state: string; host: string; services: object }
  const { services, ...rest } = node
  before.set(kv.node('h1'), JSON.stringify({ services, ...rest }, null, 2))
  assert.equal(changes(before, derive(before)), [])
  before.set(...service('b'))
  const [key, text] = changes(before, derive(before))[0]!
  assert.is(key, kv.node('h1'))
  const action = actionOf(before, key, text)
  assert.equal(action.action === 'set_by_path' && Object.keys(action.all_set), ['/services'])
  assert.is(actionOf(before, 'services/b/info', 'x').action, 'create')
  assert.is(actionOf(before, policyKey, 'x').action, 'update')
})

pure('once it is written nothing is left to write, whatever the config', () => {
  const random = new SeededRandom('scheduler')
  const below = (limit: number): number => random.bytes(1)[0]! % limit
  const names = ['a', 'b', 'c', 'd', 'e']
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!
  for (let round = 0; round < 300; round++) {
    let current = config()
    for (let step = 0; step < 4; step++) {
      const [name, host] = [pick(names), `h-${pick(names)}`]
      const entries: [string, string][] = [
        device(host, pick(['ood', 'node'])),
        service(name, { replicas: below(4), kernel: below(2) === 0 }),
        user(pick(names), pick(['active', 'suspended'])),
        [kv.spec(pick(names)), pick(['{', '[]', service(pick(names))[1]])],
      ]
      current = new Map([...current, ...entries.slice(0, 1 + below(4))])
      if (below(4) === 0) current.delete(kv.spec(name))
      current = applied(current)
      if (below(4) === 0 && current.has(kv.node(host))) current = applied(drained(current, host))
      const left = changes(current, derive(current))
      assert.equal(left, [], JSON.stringify([...current]))
    }
  }
})

pure.run()
