import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { Change } from '../../runtime/store/change.ts'
import { bytes, codeOf, keysOf, plainErrors, put, rejects, take, text, watching } from '../compliance/store/checks.ts'
import { forSeeds, runWithEtcd } from './sim-etcd-fixture.ts'
import { thrownBy } from './sim-fixture.ts'

const SEEDS = 40

const etcdSuite = suite('simulated etcd')
const test = (title: string, body: () => Promise<void>): void => etcdSuite(title, () => plainErrors(body))

test('stores under different prefixes share revisions and nothing else; all openers get one id', async () => {
  await runWithEtcd(1, async ({ open }) => {
    const [one, same, other] = await Promise.all([open('a'), open('a'), open('a0')])
    assert.is(one.id, same.id)
    assert.is.not(one.id, other.id)
    const first = await one.put('k', bytes('1'))
    assert.is(await other.put('k', bytes('2')), first + 1)
    assert.is(await one.revision(), first + 1)
    assert.is(text((await same.get('k'))!.value), '1')
    assert.equal(keysOf((await other.list('')).entries), ['k'])
    await watching(other, '', first - 1, async (events) => assert.is(text((await take(events, 1))[0]!.value), '2'))
  })
})

test('what a killed thread sent happens, and its answer never comes', async () => {
  await forSeeds(SEEDS, async ({ open, thread, wait }) => {
    const doomed = thread('doomed')
    const store = await open('store', doomed)
    let answered = false
    void store.put('last', bytes('words')).finally(() => { answered = true })
    doomed.end()
    void store.put('late', bytes('words of the dead')).finally(() => { answered = true })
    await wait(10_000)
    const survivor = await open()
    assert.equal(keysOf((await survivor.list('')).entries), ['last'])
    assert.not(answered)
  })
})

test('a killed thread keeps no watch, and its lease ends by itself', async () => {
  await runWithEtcd(3, async ({ open, thread, wait }) => {
    const doomed = thread('doomed')
    const store = await open('store', doomed)
    const lease = await store.grant(5_000)
    await store.put('mine', bytes('1'), { lease: lease.id })
    let events = 0
    void (async () => {
      for await (const { key } of store.watch('', { after: 0, signal: new AbortController().signal })) if (key) events++
    })()
    await wait(100)
    assert.is(events, 1)
    doomed.end()
    const survivor = await open()
    await survivor.put('other', bytes('1'))
    assert.ok(await survivor.get('mine'))
    await wait(5_000)
    assert.is(await survivor.get('mine'), undefined)
    assert.is(events, 1)
  })
})

test('a list whose revision is forgotten between two pages begins anew', async () => {
  await runWithEtcd(1, async ({ etcd, open, wait, thread }) => {
    const [store, other] = [await open(), await open('store', thread('other'))]
    const keys = Array.from({ length: limits.storePage * 4 }, (_, index) => `k${String(index).padStart(4, '0')}`)
    await store.transact([], keys.slice(0, limits.transactionOperations).map((key) => put(key)))
    etcd.setDelayFactor(100)
    const listing = store.list('')
    await wait(210)
    etcd.setDelayFactor(0.01)
    await other.put('l', bytes('1'))
    etcd.compact()
    const { entries, revision } = await listing
    assert.is(revision, await other.revision())
    assert.equal(keysOf(entries), [...keys, 'l'])
  })
})

test('a list that is overtaken as often as the limit allows is Overloaded, and goes on when it is quiet', async () => {
  await runWithEtcd(1, async ({ etcd, open, thread }) => {
    const store = await open()
    const keys = Array.from({ length: limits.transactionOperations }, (_, index) => `k${index}`)
    await store.transact([], keys.map((key) => put(key)))
    etcd.onCommit = () => etcd.compact()
    let quiet = false
    const writers = Array.from({ length: 16 }, async (_, index) => {
      const other = await open('other', thread(`writer${index}`))
      while (!quiet) await other.put('a', bytes('1'))
    })
    const refusal = String(await thrownBy(store.list('')))
    assert.match(refusal, /^Overloaded: /)
    assert.match(refusal, `${limits.storeRaces} attempts`)
    quiet = true
    await Promise.all(writers)
    assert.is((await store.list('')).entries.length, keys.length)
  })
})

test('slow, it takes that much longer; slower than a call may take, a write is Unavailable and done', async () => {
  await runWithEtcd(1, async ({ etcd, open, nowMs, wait }) => {
    const store = await open()
    const timed = async (): Promise<number> => {
      const began = nowMs()
      for (let index = 0; index < 100; index++) await store.put('a', bytes('1'))
      return nowMs() - began
    }
    const well = await timed()
    etcd.setDelayFactor(10)
    const ratio = await timed() / well
    assert.ok(ratio > 7 && ratio < 13, `${ratio} times`)
    etcd.setDelayFactor(100_000)
    await rejects(store.put('late', bytes('1')), 'Unavailable')
    etcd.setDelayFactor(1)
    assert.is(await store.get('late'), undefined)
    await wait(700_000)
    assert.ok(await store.get('late'))
    for (const factor of [0, -1, NaN, Infinity]) assert.throws(() => etcd.setDelayFactor(factor), /above zero/)
  })
})

test('each change is told once, in order, by store; the end of a lease to all stores that it has keys in', async () => {
  await runWithEtcd(1, async ({ etcd, open, wait }) => {
    const told: string[] = []
    etcd.onCommit = (prefix, changes) => told.push(...changes.map((change) => describe(prefix, change)))
    const [one, two] = [await open('one'), await open('two')]
    const lease = await one.grant(2_000)
    const first = await one.put('z', bytes('1'), { lease: lease.id })
    await one.put('a', bytes('1'), { lease: lease.id })
    await two.transact([], [put('b'), { type: 'put', key: 'c', value: bytes('1'), lease: lease.id }])
    await two.delete('b')
    await two.delete('absent')
    await wait(3_000)
    await one.grant(2_000).then((idle) => idle.revoke())
    assert.equal(told, [
      `/zones/test/one ${first - 1} granted:`,
      `/zones/test/one ${first}: +z`,
      `/zones/test/one ${first + 1}: +a`,
      `/zones/test/two ${first + 2}: +b +c`,
      `/zones/test/two ${first + 3}: -b`,
      `/zones/test/one ${first + 4} ended: -a -z`,
      `/zones/test/two ${first + 4}: -c`,
      `/zones/test/one ${first + 4} granted:`,
      `/zones/test/one ${first + 4} ended:`,
    ])
  })
})

const describe = (prefix: string, { revision, granted, ended, writes }: Change): string => [
  `${prefix} ${revision}${granted ? ' granted' : ''}${ended === undefined ? '' : ' ended'}:`,
  ...writes.map(({ key, entry }) => `${entry ? '+' : '-'}${key}`),
].join(' ')

test('closed while it is away, a store ends its calls and its watches at once', async () => {
  await runWithEtcd(1, async ({ etcd, open, nowMs, wait }) => {
    const store = await open()
    await watching(store, '', 0, async (events) => {
      etcd.outage(60_000)
      await wait(100)
      const waiting = [store.get('a'), store.put('a', bytes('1')), events.next()].map(codeOf)
      await wait(100)
      const began = nowMs()
      await store.close()
      assert.equal(await Promise.all(waiting), ['Unavailable', 'Unavailable', 'Unavailable'])
      assert.is(nowMs(), began)
    })
  })
})

test('a replay longer than a reader may be behind is no overrun', async () => {
  await runWithEtcd(1, async ({ open, wait }) => {
    const store = await open()
    const after = await store.revision()
    const operations = Array.from({ length: limits.transactionOperations }, (_, index) => put(`w/${index}`))
    let written = 0
    for (; written <= limits.watchBacklog; written += operations.length) await store.transact([], operations)
    await watching(store, 'w/', after, async (events) => {
      await take(events, 1)
      await wait(1_000)
      assert.is((await take(events, written - 1)).at(-1)!.revision, await store.revision())
    })
  })
})

etcdSuite.run()
