import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { Event, Store } from '../../runtime/store/store.ts'
import { bytes, codeOf, keysOf, plainErrors, rejects, take, text, watching } from '../compliance/store/checks.ts'
import { forSeeds, runWithEtcd, type EtcdWorld } from './sim-etcd-fixture.ts'

const SEEDS = 40

const etcdSuite = suite('simulated etcd and its faults')
const test = (title: string, body: () => Promise<void>): void => etcdSuite(title, () => plainErrors(body))

/** Runs for many seeds; what is seen in one or another must be all of this. */
async function seenOf(expected: readonly string[], program: (world: EtcdWorld) => Promise<string>): Promise<void> {
  const seen = new Set<string>()
  await forSeeds(SEEDS, async (world) => void seen.add(await program(world)))
  assert.equal([...seen].sort(), [...expected].sort())
}

/** Numbers that one writer puts, whatever becomes of each, until it is stopped. */
function writing(store: Store, wait: EtcdWorld['wait']) {
  let stopped = false
  const done: number[] = []
  const ended = (async () => {
    for (let index = 0; !stopped; index++) {
      if (await codeOf(store.put(`w/${index}`, bytes(String(index)))) === 'done') done.push(index)
      await wait(20)
    }
  })()
  return { done, stop: () => (stopped = true, ended) }
}

test('while it is away every call is Unavailable when its time is over, and nothing of it is done', async () => {
  await runWithEtcd(1, async ({ etcd, open, nowMs, wait }) => {
    const store = await open()
    const before = await store.put('a', bytes('1'))
    etcd.outage(60_000)
    await wait(10)
    const began = nowMs()
    const calls = [store.get('a'), store.put('a', bytes('2')), store.delete('a'), store.grant(1_000), open('other')]
    assert.equal(await Promise.all(calls.map(codeOf)), calls.map(() => 'Unavailable'))
    assert.ok(nowMs() - began >= limits.storeCallMs && nowMs() - began < limits.storeCallMs + 10)
    await wait(60_000)
    assert.is(await store.revision(), before)
  })
})

test('a host that is cut off does nothing, its lease ends, and it is told later what it missed', async () => {
  await forSeeds(SEEDS / 4, async ({ etcd, open, thread, wait }) => {
    const [cut, well] = [await open('store', thread('a', 'ood1')), await open('store', thread('b', 'ood2'))]
    const lease = await cut.grant(10_000)
    const after = await cut.put('leader', bytes('ood1'), { lease: lease.id })
    await watching(cut, '', after, async (events) => {
      await wait(10)
      etcd.cutOff('ood1')
      await well.put('a', bytes('1'))
      assert.is(await codeOf(cut.put('b', bytes('2'))), 'Unavailable')
      assert.is(await well.get('b'), undefined)
      await wait(10_000)
      assert.is(await well.get('leader'), undefined)
      etcd.reach('ood1')
      assert.equal(keysOf(await take(events, 2)), ['a', 'leader'])
      assert.is(await codeOf(cut.put('b', bytes('2'))), 'done')
    })
  })
})

test('a call that waits through a short outage is done once', async () => {
  await forSeeds(SEEDS, async ({ etcd, open, wait }) => {
    const store = await open()
    etcd.outage(2_000)
    await wait(5)
    await store.put('a', bytes('1'))
    assert.is((await store.get('a'))!.version, 1)
  })
})

test('a write under way when it goes away is answered or not, and done before, meanwhile, later, never', async () => {
  await seenOf([
    'done before', 'done later',
    'Unavailable before', 'Unavailable meanwhile', 'Unavailable later', 'Unavailable never',
  ], async ({ etcd, open, wait, nowMs }) => {
    const store = await open()
    let awayMs = Infinity
    let committed = 'never'
    etcd.onCommit = () => {
      committed = nowMs() < awayMs ? 'before' : nowMs() < awayMs + 2_000 ? 'meanwhile' : 'later'
    }
    const outcome = codeOf(store.put('a', bytes('1')))
    await wait(3)
    awayMs = nowMs()
    etcd.outage(2_000)
    await outcome
    await wait(10_000)
    assert.is((await store.get('a')) !== undefined, committed !== 'never')
    return `${await outcome} ${committed}`
  })
})

test('a compare-and-set through outages and leader changes is never done twice', async () => {
  await forSeeds(SEEDS / 4, async ({ etcd, open, wait }) => {
    const store = await open()
    let acknowledged = 0
    let unknown = 0
    const faults = (async () => {
      for (let round = 0; round < 4; round++) {
        await wait(37)
        if (round % 2 === 0) etcd.outage(700)
        else etcd.changeLeader()
        await wait(4_000)
      }
    })()
    for (let index = 0; index < 400; index++) {
      const entry = await store.get('count').catch(() => 'away' as const)
      if (entry === 'away') continue
      const next = bytes(String(Number(text(entry?.value) ?? 0) + 1))
      const outcome = await codeOf(store.transact([{ key: 'count', modRevision: entry?.modRevision ?? 0 }], [
        { type: 'put', key: 'count', value: next },
      ]))
      if (outcome === 'done') acknowledged++
      else unknown++
      await wait(20)
    }
    await faults
    const entry = (await store.get('count'))!
    assert.is(Number(text(entry.value)), entry.version)
    assert.ok(entry.version <= acknowledged + unknown, `${entry.version} of ${acknowledged} and ${unknown}`)
    assert.ok(acknowledged > 100)
  })
})

test('a watch goes on without gap or double through outages and leader changes', async () => {
  await forSeeds(SEEDS / 4, async ({ etcd, open, wait, thread }) => {
    const [store, reader] = [await open(), await open('store', thread('reader'))]
    const after = await store.revision()
    const seen: Event[] = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const event of reader.watch('w/', { after, signal: stop.signal })) seen.push(event)
    })()
    const writer = writing(store, wait)
    for (let round = 0; round < 3; round++) {
      await wait(200)
      etcd.outage(300 * round + 100)
      await wait(1_000)
      etcd.changeLeader()
      await wait(4_000)
    }
    await writer.stop()
    // A client may need 8 s to notice, and 2 s until it tries again
    await wait(15_000)
    const { entries } = await store.list('w/')
    stop.abort()
    await reading
    assert.equal(keysOf(seen).sort(), keysOf(entries).sort())
    assert.ok(seen.every(({ revision }, index) => index === 0 || revision > seen[index - 1]!.revision))
    const missing = writer.done.filter((index) => !seen.some(({ key }) => key === `w/${index}`))
    assert.equal(missing, [])
    assert.ok(seen.length > 100)
  })
})

test('a watch that begins as the leader changes has all that came before and after', async () => {
  await forSeeds(SEEDS, async ({ etcd, open, wait }) => {
    const store = await open()
    const after = await store.put('w/a', bytes('1'))
    await store.put('w/b', bytes('1'))
    await watching(store, 'w/', after, async (events) => {
      const seen = take(events, 2)
      await wait(1)
      etcd.changeLeader()
      await wait(3_001)
      await store.put('w/c', bytes('1'))
      assert.equal(keysOf(await seen), ['w/b', 'w/c'])
    })
  })
})

test('a leader change answers what waits for it, and gives every lease its whole time again', async () => {
  await forSeeds(SEEDS, async ({ etcd, open, nowMs, wait }) => {
    const store = await open()
    const lease = await store.grant(5_000)
    await store.put('a', bytes('1'), { lease: lease.id })
    await wait(4_500)
    etcd.changeLeader()
    await wait(2)
    const began = nowMs()
    assert.ok(await store.get('a'), 'a read waits for the leader')
    const electedMs = nowMs() - began
    assert.ok(electedMs > 190 && electedMs < 3_010, `${electedMs} ms`)
    await wait(4_900)
    assert.ok(await store.get('a'))
    await wait(200)
    assert.is(await store.get('a'), undefined)
  })
})

test('in an outage the time of a lease goes on', async () => {
  await runWithEtcd(1, async ({ etcd, open, wait }) => {
    const store = await open()
    const lease = await store.grant(3_000)
    const after = await store.put('a', bytes('1'), { lease: lease.id })
    etcd.outage(4_000)
    await watching(store, '', after, async (events) => {
      await wait(4_001)
      assert.is(await store.get('a'), undefined)
      assert.is((await take(events, 1))[0]!.type, 'delete')
    })
    await rejects(lease.keepAlive(), 'LeaseExpired')
  })
})

test('a compaction ends a watch that an outage keeps from it, and no other', async () => {
  await forSeeds(SEEDS, async ({ etcd, open, wait, thread }) => {
    const [store, other] = [await open(), await open('store', thread('other'))]
    const lease = await store.grant(2_000)
    const after = await store.put('w/a', bytes('1'), { lease: lease.id })
    await watching(other, 'w/', after, async (events) => {
      const next = codeOf(events.next())
      await wait(100)
      etcd.compact()
      etcd.outage(3_000)
      // The lease has ended meanwhile, and the watch has not seen it
      await wait(2_500)
      etcd.compact()
      assert.is(await next, 'Compacted')
    })
    await rejects(watching(store, 'w/', after, async (events) => void await events.next()), 'Compacted')
    const now = await store.revision()
    await watching(store, 'w/', now, async (events) => {
      etcd.compact()
      await store.put('w/b', bytes('1'))
      assert.is((await take(events, 1))[0]!.key, 'w/b')
    })
  })
})

test('a compaction may end a watch whose events are under way', async () => {
  await seenOf(['done', 'Compacted'], async ({ etcd, open, wait, thread }) => {
    const [store, other] = [await open(), await open('store', thread('other'))]
    const after = await store.revision()
    let outcome = ''
    await watching(other, 'w/', after, async (events) => {
      const next = codeOf(events.next())
      await wait(10)
      etcd.setDelayFactor(100)
      let committed = false
      etcd.onCommit = () => { committed = true }
      const putting = store.put('w/a', bytes('1'))
      while (!committed) await wait(1)
      etcd.compact()
      await putting
      outcome = await next
    })
    return outcome
  })
})

etcdSuite.run()
