/** Which host of a service somebody calls, as the scheduler tells where it is. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseHost, followService, type Found } from '../../actors/find-service.ts'
import { kv, type ServiceInfo } from '../../actors/records.ts'

const info = (hosts: readonly string[], more: Partial<ServiceInfo> = {}): ServiceInfo =>
  ({ name: 's', hosts: [...hosts], ...more })
const choice = (of: ServiceInfo, key = 'k', host = 'own'): string | undefined => chooseHost(of, { host, key })?.host

test('a service on the same host is called there, and with the port where it has one', () => {
  assert.equal(chooseHost(info(['a', 'own'], { port: 80 }), { host: 'own', key: 'k' }), { host: 'own', port: 80 })
  assert.is(choice(info(['own', 'a'], { states: { own: 'draining' } })), 'own')
})

test('a host that is not heard of is never chosen, and one that is drained only where there is no other', () => {
  for (let key = 0; key < 50; key++) {
    const of = info(['a', 'b', 'c'], { states: { a: 'lost', b: 'draining' } })
    assert.is(choice(of, `${key}`), 'c')
    assert.is(choice(info(['a', 'b'], { states: { a: 'lost', b: 'draining' } }), `${key}`), 'b')
  }
  assert.is(choice(info(['a'], { states: { a: 'lost' } })), undefined)
  assert.is(choice(info([])), undefined)
})

test('seekers are spread evenly, each stays with its host, and only those of a host that goes move', () => {
  const hosts = ['h1', 'h2', 'h3', 'h4']
  const keys = Array.from({ length: 4_000 }, (_, index) => `seeker${index}`)
  const before = new Map(keys.map((key) => [key, choice(info(hosts), key)]))
  for (const host of hosts) {
    const share = keys.filter((key) => before.get(key) === host).length
    assert.ok(share > 800 && share < 1_200, `${host} has ${share} of ${keys.length}`)
  }
  for (const key of keys) {
    assert.is(choice(info([...hosts].reverse()), key), before.get(key), 'the order does not count')
    const now = choice(info(hosts.slice(1)), key)
    if (before.get(key) !== 'h1') assert.is(now, before.get(key))
  }
})

test('who follows a service is told of another choice, and of nothing else', async () => {
  const told: (Found | undefined)[] = []
  const stopping = new AbortController()
  const key = kv.info('s')
  const texts = [info(['a']), info(['a'], { reason: 'x' }), info(['b'], { port: 1 }), '{', info(['b'])]
    .map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))
  let revision = 1
  const written = { type: 'put' as const, createRevision: 1, version: 1 }
  async function* events() {
    yield { ...written, key: `${key}rmation`, value: JSON.stringify(info(['z'])), revision: ++revision }
    for (const value of texts.slice(1)) yield { ...written, key, value, revision: ++revision }
    yield { ...written, type: 'delete' as const, key, value: '', revision: ++revision }
    stopping.abort()
  }
  await followService({
    start: { stopping: stopping.signal, log: { info() {}, warn() {}, error() {} }, clock: {} } as never,
    systemConfig: {
      dump: async () => ({ items: [{ key, value: texts[0]!, revision: 1 }], revision: 1 }), watch: () => events(),
    } as never,
    session: { token: () => '' }, name: 's', seeker: { host: 'own', key: 'k' },
    onChange: (found) => told.push(found),
  })
  assert.equal(told, [
    { host: 'a', port: undefined }, { host: 'b', port: 1 }, undefined, { host: 'b', port: undefined }, undefined,
  ])
})

test.run()
