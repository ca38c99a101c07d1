/** What goes wrong with a real etcd while a store moves: a clear error each, the store goes on, and nothing is lost. */
import { Etcd3 } from 'etcd3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MovableStore } from '../runtime/store/movable.ts'
import type { Moved, MoveProgress } from '../runtime/store/move/move.ts'
import { plainErrors, put, until } from './compliance/store/checks.ts'
import { freePort, startCluster, startEtcd, type EtcdCluster, type EtcdServer } from './runtime/etcd-server.ts'
import {
  bytes, move, newFolder, open, openFolder, removeFolder, text, type EtcdLocation,
} from './runtime/move-fixture.ts'

let cluster: EtcdCluster
let prefixes = 0
const folders: string[] = []
const faults = suite('move: faults')
const test = (title: string, body: () => Promise<void>): void => faults(title, () => plainErrors(body))
faults.before(async () => { cluster = await startCluster() })
faults.after(async () => {
  await cluster.end()
  await Promise.all(folders.map(removeFolder))
})

const target = (): EtcdLocation => ({
  type: 'etcd', endpoints: cluster.endpoints, prefix: `/faults/${++prefixes}`, credentials: cluster.credentials,
})

async function filled(count: number): Promise<MovableStore> {
  const folder = await newFolder()
  folders.push(folder)
  const store = await openFolder(folder)
  for (let from = 0; from < count; from += 500) {
    await store.transact([], Array.from({ length: 500 }, (_, index) => put(`k/${from + index}`, 'x'.repeat(200))))
  }
  return store
}

/** Writes all the while; every write is acknowledged, by the source or by etcd. */
class Writer {
  writes = 0
  longestMs = 0
  readonly #store: MovableStore
  readonly #running: Promise<void>
  #over = false

  constructor(store: MovableStore) {
    this.#store = store
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      const began = performance.now()
      await this.#store.put('w', bytes(String(this.writes)))
      this.longestMs = Math.max(this.longestMs, performance.now() - began)
      this.writes++
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** What is there is what was acknowledged last. */
  async end(): Promise<void> {
    this.#over = true
    await this.#running
    assert.is(text((await this.#store.get('w'))?.value), String(this.writes - 1))
  }
}

/** The member that leads, as the members say. */
async function leader(): Promise<EtcdServer> {
  for (const member of cluster.members) {
    const { authority, certificate, key } = cluster.credentials
    const client = new Etcd3({ hosts: member.endpoint, credentials: {
      rootCertificate: Buffer.from(authority), certChain: Buffer.from(certificate), privateKey: Buffer.from(key),
    } })
    try {
      const { leader: id, header } = await client.maintenance.status()
      if (id === header.member_id) return member
    } finally {
      client.close()
    }
  }
  return leader()
}

const reached = async (store: MovableStore, to: EtcdLocation, entries: number): Promise<{ moving: Promise<Moved> }> => {
  let tell: () => void
  const copied = new Promise<void>((resolve) => { tell = resolve })
  const moving = move(store, to, 'one', { onProgress: (progress) => { if (progress.entries >= entries) tell() } })
  moving.catch(() => {})
  await copied
  return { moving }
}

test('the leader is killed as it copies: it goes on with the next one', async () => {
  const store = await filled(8_000)
  const writer = new Writer(store)
  const { moving } = await reached(store, target(), 2_000)
  const first = await leader()
  await first.kill()
  const moved = await moving
  first.start()
  assert.ok(moved.entries >= 8_000)
  await writer.end()
  await store.close()
})

test('the leader stands still as it copies: it goes on when another one leads', async () => {
  const store = await filled(6_000)
  const writer = new Writer(store)
  const { moving } = await reached(store, target(), 1_000)
  const first = await leader()
  first.freeze()
  const thawed = new Promise<void>((resolve) => setTimeout(() => {
    first.thaw()
    resolve()
  }, 3_000))
  const moved = await moving
  await thawed
  assert.ok(moved.entries >= 6_000)
  await writer.end()
  await store.close()
})

test('two members of three are down: writes go on at the source, and the move goes on when they are back', async () => {
  const store = await filled(6_000)
  const writer = new Writer(store)
  const seen: MoveProgress[] = []
  const moving = move(store, target(), 'one', { onProgress: (progress) => void seen.push(progress) })
  await until(async () => (seen.at(-1)?.entries ?? 0) > 1_000, 20_000)
  const [one, two] = cluster.members as readonly [EtcdServer, EtcdServer]
  await Promise.all([one.kill(), two.kill()])
  const before = writer.writes
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  assert.ok(writer.writes > before + 20)
  assert.ok(store.moveSource, 'it is the store still')
  one.start()
  two.start()
  const moved = await moving
  assert.ok(moved.entries >= 6_000)
  assert.not(store.moveSource)
  await writer.end()
  await store.close()
})

test('the whole cluster goes away as writes wait: they go on at the source within the time of a fence', async () => {
  const store = await filled(2_000)
  const writer = new Writer(store)
  let frozen: Promise<void> | undefined
  const freeze = async (): Promise<void> => {
    for (const member of cluster.members) member.freeze()
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    for (const member of cluster.members) member.thaw()
  }
  let source: boolean | undefined
  const moving = move(store, target(), 'one', {
    onProgress: ({ phase }) => {
      if (phase !== 'fenced') return
      frozen ??= freeze()
      setTimeout(() => { source ??= store.moveSource !== undefined }, 1_000)
    },
  })
  const moved = await moving
  await frozen
  assert.ok(source, 'it was the store until etcd was back')
  assert.ok(moved.fences > 1)
  assert.ok(writer.longestMs < 1_000, `a write waited ${writer.longestMs} ms`)
  await writer.end()
  await store.close()
})

test('etcd forgets its history as it copies: nothing of that is needed', async () => {
  const single = await startEtcd()
  const store = await filled(4_000)
  const client = new Etcd3({ hosts: single.endpoint })
  let compacted: Promise<unknown> = Promise.resolve()
  const compact = async (): Promise<void> => {
    const { header } = await client.kv.range({ key: Buffer.from('-') })
    await client.kv.compact({ revision: header.revision, physical: true }).catch(() => {})
  }
  const to: EtcdLocation = { type: 'etcd', endpoints: [single.endpoint], prefix: '/one' }
  const moved = await move(store, to, 'one', { onProgress: () => { compacted = compacted.then(compact) } })
  await compacted
  assert.is(moved.entries, 4_000)
  const again = await open(to, 'one')
  assert.is((await again.list('k/')).entries.length, 4_000)
  await Promise.all([store.close(), again.close()])
  client.close()
  await single.end()
})

test('an etcd that is full says so, the store goes on, and with more room so does the move', async () => {
  const small = await startEtcd(undefined, { 'quota-backend-bytes': String(1024 * 1024) })
  const store = await filled(500)
  const large = new Uint8Array(64 * 1024).fill(1)
  for (let index = 0; index < 60; index++) await store.put(`large/${index}`, large)
  const to: EtcdLocation = { type: 'etcd', endpoints: [small.endpoint], prefix: '/one' }
  const error = await move(store, to, 'one').catch((reason: Error) => reason) as Error & { code?: string }
  assert.is(error.code, 'LimitExceeded')
  assert.match(error.message, /etcd has no space left \(its --quota-backend-bytes\)/)
  await store.put('k/0', bytes('it goes on'))
  await store.close()
  await small.end()
})

test('where no etcd answers, or none that trusts us, nothing begins, and the error says where', async () => {
  const store = await filled(500)
  const nowhere: EtcdLocation = { type: 'etcd', endpoints: [`http://127.0.0.1:${await freePort()}`], prefix: '/one' }
  const others = { ...cluster.credentials, authority: cluster.stranger.certificate }
  const refused = async (to: EtcdLocation): Promise<void> => {
    const error = await move(store, to, 'one').catch((reason: Error) => reason) as Error & { code?: string }
    assert.is(error.code, 'Unavailable')
    assert.match(error.message, to.endpoints[0]!)
  }
  await Promise.all([nowhere, ...[cluster.stranger, others].map((credentials) => ({ ...target(), credentials }))]
    .map(refused))
  await store.put('k/0', bytes('it goes on'))
  assert.ok(store.moveSource)
  await store.close()
})

test('credentials are renewed while calls and watches go on', async () => {
  const store = await filled(500)
  await move(store, target(), 'one')
  const writer = new Writer(store)
  const seen: string[] = []
  const stop = new AbortController()
  const after = await store.revision()
  const reading = (async () => {
    for await (const { value } of store.watch('w', { after, signal: stop.signal })) seen.push(text(value)!)
  })()
  for (let round = 0; round < 3; round++) {
    await until(async () => seen.length > round * 20, 20_000)
    store.renewCredentials({ ...cluster.credentials })
  }
  await until(async () => seen.length > 100, 20_000)
  await writer.end()
  await until(async () => seen.at(-1) === String(writer.writes - 1), 10_000)
  assert.equal(seen, Array.from({ length: seen.length }, (_, index) => String(Number(seen[0]) + index)))
  stop.abort()
  await reading
  await store.close()
})

faults.run()
