import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Store } from '../../runtime/store/store.ts'
import { bytes, codeOf } from '../compliance/store/checks.ts'
import { runWithEtcd, type EtcdRun, type EtcdWorld } from './sim-etcd-fixture.ts'
import { isChild, otherProcesses } from '../other-runtimes.ts'

const SOURCE = 'test/runtime/sim-etcd-trace.test.ts'
const SEEDS = [1, 2, 3]
const CLIENTS = 4

/** Several threads write, list, hold leases and watch, while everything goes wrong that can; one of them dies. */
async function turmoil(world: EtcdWorld): Promise<void> {
  const { etcd, open, thread, wait } = world
  const threads = Array.from({ length: CLIENTS }, (_, index) => thread(`client${index}`))
  const clients = threads.map((each, index) => client(world, open(`store${index % 2}`, each), index))
  const faults = [
    () => etcd.outage(900), () => etcd.changeLeader(), () => etcd.compact(), () => etcd.setDelayFactor(20),
    () => threads[0]?.end(), () => etcd.setDelayFactor(1), () => etcd.outage(6_000), () => etcd.compact(),
    () => etcd.changeLeader(), () => etcd.outage(100),
  ]
  for (const fault of faults) {
    await wait(1_500)
    fault()
  }
  await Promise.all(clients.slice(1))
}

async function client({ wait }: EtcdWorld, opening: Promise<Store>, index: number): Promise<void> {
  const store = await opening
  const stop = new AbortController()
  const watching = codeOf((async () => {
    for await (const { key, revision } of store.watch('', { after: 0, signal: stop.signal })) {
      if (revision % 7 === 0) void codeOf(store.delete(key))
    }
  })())
  for (let round = 0; round < 300; round++) {
    await codeOf(store.put(`k${round % 10}`, bytes(`${index} ${round}`)))
    if (round % 40 === 0) {
      await codeOf(store.grant(2_000).then(({ id }) => store.put(`leased${index}`, bytes('1'), { lease: id })))
    }
    if (round % 9 === 0) await codeOf(store.list('k'))
    await wait(30)
  }
  stop.abort()
  await watching
}

const runAll = async (): Promise<readonly EtcdRun[]> => {
  const runs: EtcdRun[] = []
  for (const seed of SEEDS) runs.push(await runWithEtcd(seed, turmoil))
  return runs
}

function defineTests(): void {
  let here: readonly EtcdRun[]
  test.before(async () => { here = await runAll() })

  test('a seed gives the same trace twice in one process, another seed another', async () => {
    assert.equal(await runAll(), here)
    assert.is(new Set(here.map(({ hash }) => hash)).size, SEEDS.length)
    for (const { events } of here) assert.ok(events > 2_000, `too few events: ${events}`)
  })

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`a seed gives the same trace in ${name}`, async () => {
      assert.equal(JSON.parse(output()), here)
    })
  }
  test.run()
}

if (isChild) console.log(JSON.stringify(await runAll()))
else defineTests()
