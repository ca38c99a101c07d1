import { connect, createServer, type Socket } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Etcd3 } from 'etcd3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEtcdStore } from '../../runtime/store/etcd.ts'
import type { Event, Operation, Store } from '../../runtime/store/store.ts'
import { bytes, keysOf, plainErrors, rejects, take, text, watching } from '../compliance/store/checks.ts'
import { etcdCertificates } from './etcd-certificates.ts'
import { freePort, startEtcd, type EtcdServer } from './etcd-server.ts'

let etcd: EtcdServer
let prefixes = 0
const freshPrefix = (): string => `/zones/test-${++prefixes}`
const open = (prefix: string, endpoint = etcd.endpoint): Promise<Store> =>
  openEtcdStore({ endpoints: [endpoint], prefix, clock, random })

const etcdSuite = suite('store: etcd and its faults')
const test = (title: string, body: () => Promise<void>): void => etcdSuite(title, () => plainErrors(body))
etcdSuite.before(async () => { etcd = await startEtcd() })
etcdSuite.after(() => etcd.end())

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
  const absent = [{ key: 'boot/config', modRevision: 0 }]
  const operations: Operation[] = [{ type: 'put', key: 'boot/config', value: bytes('mine') }]
  const results = await Promise.all(stores.map((store) => store.transact(absent, operations)))
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
  const reached = store.get('k0')
  etcd.start()
  assert.ok(await reached, 'a read waits for it')
  for (let index = 10; index < 20; index++) await store.put(`k${index}`, bytes('1'))
  await reading
  assert.equal(keysOf(seen), Array.from({ length: 20 }, (_, index) => `k${index}`))
  await store.close()
})

test('where no etcd answers, opening is Unavailable and says where', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`
  const error = await open('p', endpoint).catch((reason: Error) => reason)
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

/** Carries bytes to etcd and back, until it is told to swallow the answers and then to cut the connections. */
async function proxyTo(port: number) {
  let swallow = false
  let heldAfter = Infinity
  let onHeld = (): void => {}
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => { client.destroy(); upstream.destroy(); sockets.delete(socket) })
    }
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      if (swallow) return
      client.write(chunk)
      heldAfter -= chunk.length
      if (heldAfter > 0) return
      upstream.pause()
      onHeld()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    loseAnswers(lose: boolean) { swallow = lose },
    /** Settles when so many bytes of answers have passed; the rest waits. */
    hold: (afterBytes: number) => new Promise<void>((resolve) => {
      heldAfter = afterBytes
      onHeld = resolve
    }),
    letGo() {
      heldAfter = Infinity
      for (const socket of sockets) socket.resume()
    },
    cut,
    end() { cut(); server.close() },
  }
}

test('a compare-and-set whose answer is lost is Unavailable, and is not done a second time', async () => {
  const prefix = freshPrefix()
  const proxy = await proxyTo(etcd.port)
  const [direct, through] = [await open(prefix), await open(prefix, proxy.endpoint)]
  await through.put('a', bytes('0'))
  const { modRevision } = (await through.get('a'))!
  proxy.loseAnswers(true)
  const lost = through.transact([{ key: 'a', modRevision }], [{ type: 'put', key: 'a', value: bytes('1') }])
  const unavailable = rejects(lost, 'Unavailable')
  for (let entry = await direct.get('a'); entry!.version < 2;) entry = await direct.get('a')
  proxy.loseAnswers(false)
  proxy.cut()
  await unavailable
  assert.is(text((await through.get('a'))!.value), '1')
  assert.is((await direct.get('a'))!.version, 2)
  await Promise.all([direct.close(), through.close()])
  proxy.end()
})

test('a read and a watch outlive a connection that is cut', async () => {
  const proxy = await proxyTo(etcd.port)
  const store = await open(freshPrefix(), proxy.endpoint)
  const after = await store.put('k', bytes('0'))
  await watching(store, 'k', after, async (events) => {
    for (let round = 1; round <= 3; round++) {
      const next = take(events, 1)
      await store.put('k', bytes(String(round)))
      assert.is(text((await next)[0]!.value), String(round))
      proxy.cut()
      assert.is(text((await store.get('k'))!.value), String(round))
    }
  })
  await store.close()
  proxy.end()
})

/** etcd forgets what came before the present revision. */
async function compact(store: Store): Promise<void> {
  const client = new Etcd3({ hosts: etcd.endpoint })
  await client.kv.compact({ revision: await store.revision(), physical: true })
  client.close()
}

test('a list whose revision is forgotten between two pages begins anew', async () => {
  const prefix = freshPrefix()
  const proxy = await proxyTo(etcd.port)
  const [direct, through] = [await open(prefix), await open(prefix, proxy.endpoint)]
  const keys = Array.from({ length: limits.storePage * 4 }, (_, index) => `k${String(index).padStart(4, '0')}`)
  for (let from = 0; from < keys.length; from += limits.storePage) {
    await direct.transact([], keys.slice(from, from + limits.storePage).map((key): Operation =>
      ({ type: 'put', key, value: new Uint8Array(1_024) })))
  }
  const held = proxy.hold(limits.storePage * 1_024)
  const listing = through.list('')
  await held
  await direct.put('k', bytes('written meanwhile'))
  await compact(direct)
  const began = clock.monotonic()
  proxy.letGo()
  const { entries, revision } = await listing
  assert.ok(clock.monotonic() - began < limits.storeCallMs / 2, 'it is no call without an answer')
  assert.equal(keysOf(entries), ['k', ...keys])
  assert.is(revision, await direct.revision())
  await Promise.all([direct.close(), through.close()])
  proxy.end()
})

test('a watch does not miss a delete at the very revision that etcd has compacted to', async () => {
  const store = await open(freshPrefix())
  const after = await store.put('a', bytes('1'))
  await store.delete('a')
  const deleted = await store.revision()
  await compact(store)
  await rejects(watching(store, '', after, async (events) => void await events.next()), 'Compacted')
  await watching(store, '', deleted, async (events) => {
    const next = await store.put('b', bytes('1'))
    assert.is((await take(events, 1))[0]!.revision, next)
  })
  await store.close()
})

test('with certificates, by DNS name or by address and name; a stranger gets nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-etcd-tls-'))
  const { server, client, stranger } = await etcdCertificates()
  const files = {
    authority: join(folder, 'ca.pem'), certificate: join(folder, 'server.pem'), key: join(folder, 'server.key'),
  }
  for (const name of ['authority', 'certificate', 'key'] as const) {
    await writeFile(files[name], server[name], { mode: 0o600 })
  }
  const secure = await startEtcd(files)
  try {
    const options = { prefix: 'zone', clock, random }
    const byName = await openEtcdStore({ ...options, endpoints: [secure.endpoint], credentials: client })
    const after = await byName.put('a', bytes('1'))
    const byAddress = await openEtcdStore({
      ...options, endpoints: [`https://127.0.0.1:${secure.port}`], credentials: { ...client, serverName: 'localhost' },
    })
    assert.is(byAddress.id, byName.id)
    await watching(byAddress, '', after, async (events) => {
      const lease = await byName.grant(60_000)
      await byName.put('b', bytes('1'), { lease: lease.id })
      assert.is((await take(events, 1))[0]!.key, 'b')
      await lease.keepAlive()
      await lease.revoke()
      assert.is((await take(events, 1))[0]!.type, 'delete')
    })
    await Promise.all([byName.close(), byAddress.close()])
    await rejects(openEtcdStore({ ...options, endpoints: [secure.endpoint], credentials: stranger }), 'Unavailable')
  } finally {
    await secure.end()
    await rm(folder, { recursive: true })
  }
})

etcdSuite.run()
