import { Etcd3 } from 'etcd3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEtcdStore } from '../../runtime/store/etcd.ts'
import type { Event, Store } from '../../runtime/store/store.ts'
import { bytes, keysOf, plainErrors, rejects, take, text, watching } from '../compliance/store/checks.ts'
import { storeCompliance } from '../compliance/store.ts'
import { freePort, startEtcd, type EtcdServer } from './etcd-server.ts'

let etcd: EtcdServer
let prefixes = 0
const freshPrefix = (): string => `/zones/test-${++prefixes}`
const open = (prefix: string): Promise<Store> => openEtcdStore({ endpoints: [etcd.endpoint], prefix, clock, random })

/** etcd forgets what came before the present revision of the cluster. */
async function forget(store: Store): Promise<void> {
  const client = new Etcd3({ hosts: etcd.endpoint })
  await client.kv.compact({ revision: await store.revision(), physical: true })
  client.close()
}

const compliance = storeCompliance('etcd', async () => {
  const prefix = freshPrefix()
  const opened: Store[] = []
  const openAnother = async (): Promise<Store> => {
    const store = await open(prefix)
    opened.push(store)
    return store
  }
  return {
    store: await openAnother(),
    forget,
    reopen: openAnother,
    async end() {
      for (const store of opened) await store.close()
    },
  }
})
compliance.before(async () => { etcd = await startEtcd() })

const more = suite('store: etcd, its own')
const test = (title: string, body: () => Promise<void>): void => more(title, () => plainErrors(body))

test('stores under different prefixes do not see each other, also where one prefix begins like the other', async () => {
  const prefix = freshPrefix()
  const [one, two] = await Promise.all([open(prefix), open(`${prefix}0`)])
  const after = await two.revision()
  await one.put('a', bytes('one'))
  await two.put('b', bytes('two'))
  assert.equal(keysOf((await one.list('')).entries), ['a'])
  assert.equal(keysOf((await two.list('')).entries), ['b'])
  await watching(two, '', after, async (events) => assert.is((await take(events, 1))[0]!.key, 'b'))
  assert.is.not(one.id, two.id)
  await Promise.all([one.close(), two.close()])
})

test('several that open a new store together agree on its id, and on the winner of a race', async () => {
  const prefix = freshPrefix()
  const stores = await Promise.all(Array.from({ length: 5 }, () => open(prefix)))
  assert.is(new Set(stores.map(({ id }) => id)).size, 1)
  const results = await Promise.all(stores.map((store) =>
    store.transact([{ key: 'boot/config', modRevision: 0 }], [{ type: 'put', key: 'boot/config', value: bytes('mine') }])))
  assert.is(results.filter(({ succeeded }) => succeeded).length, 1)
  await Promise.all(stores.map((store) => store.close()))
})

test('a watch goes on without gap or double when etcd is killed and comes back', async () => {
  const store = await open(freshPrefix())
  const after = await store.revision()
  const stop = new AbortController()
  const seen: Event[] = []
  const reading = (async () => {
    for await (const event of store.watch('', { after, signal: stop.signal })) if (seen.push(event) === 20) break
  })()
  for (let index = 0; index < 10; index++) await store.put(`k${index}`, bytes('1'))
  await etcd.kill()
  const waiting = store.put('k10', bytes('1'))
  etcd.start()
  await waiting
  for (let index = 11; index < 20; index++) await store.put(`k${index}`, bytes('1'))
  await reading
  assert.equal(keysOf(seen), Array.from({ length: 20 }, (_, index) => `k${index}`))
  await store.close()
})

test('where no etcd answers, opening is Unavailable and says where', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`
  const error = await openEtcdStore({ endpoints: [endpoint], prefix: 'p', clock, random }).catch((reason: Error) => reason)
  assert.is((error as { code?: string }).code, 'Unavailable')
  assert.match((error as Error).message, endpoint)
})

test('endpoints that cannot be right are refused at once', async () => {
  const credentials = { authority: 'a', certificate: 'b', key: 'c' }
  for (const options of [
    { endpoints: [] },
    { endpoints: ['127.0.0.1:2379'] },
    { endpoints: ['https://etcd.example:2379'] },
    { endpoints: ['http://etcd.example:2379'], credentials },
    { endpoints: ['https://127.0.0.1:2379'], credentials },
    { endpoints: ['https://[::1]:2379'], credentials },
  ]) await rejects(openEtcdStore({ ...options, prefix: 'p', clock, random }), 'InvalidArgument')
})

more.after(() => etcd.end())

compliance.run()
more.run()
