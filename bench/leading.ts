/**
 * Fail-over: how long it takes from the death of a leader until the next one has written, over a real etcd. The loop
 * and the leases are those of the actors; what dies just stops, and gives nothing back.
 */
import { leading, type Leading } from '../actors/leading.ts'
import { createLeaders } from '../actors/system-config/leaders.ts'
import type { Peer } from '../runtime/actor.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { openEtcdStore } from '../runtime/store/etcd.ts'
import type { Store } from '../runtime/store/store.ts'
import { startEtcd, type EtcdServer } from '../test/runtime/etcd-server.ts'
import type { Bench } from './report.ts'

const DEATHS = 6
const NAME = 'scheduler'
/** A lease ends so much later at most: etcd looks for those that are over twice a second. */
const BEYOND_MS_MAX = 1_000

const { clock, random } = await openPlatform()
const none = { info: () => {}, warn: () => {}, error: () => {} }
const pause = (ms: number): Promise<void> => new Promise((resolve) => { clock.after(ms, () => resolve()) })

const bench: Bench = async ({ say }) => {
  const etcd = await startEtcd()
  const failedOver: number[] = []
  const handedOver: number[] = []
  let wroteMs = 0
  const first = await host(etcd, 'host0', () => { wroteMs = clock.monotonic() })
  try {
    let leader = first
    while (wroteMs === 0) await pause(5)
    for (let death = 1; death <= DEATHS; death++) {
      const next = await host(etcd, `host${death}`, () => { wroteMs = clock.monotonic() })
      // Anywhere between two renewals
      await pause(500 + death * limits.leaderRenewMs / DEATHS)
      const isDeath = death <= DEATHS - 2
      const endedMs = clock.monotonic()
      wroteMs = 0
      if (isDeath) leader.die()
      else await leader.stop()
      while (wroteMs === 0) await pause(2)
      ;(isDeath ? failedOver : handedOver).push(wroteMs - endedMs)
      say(`${isDeath ? 'after a death' : 'after a stop'}: ${(wroteMs - endedMs).toFixed(0)} ms`)
      await leader.store.close()
      leader = next
    }
    await leader.stop()
    await leader.store.close()
    const longest = Math.max(...failedOver)
    return [
      {
        name: `death of a leader to the first write of the next, longest of ${failedOver.length}`, value: longest,
        unit: 'ms', ratio: longest / (limits.leaderLeaseMs + BEYOND_MS_MAX), target: 1, atMost: true,
      },
      { name: 'the same, shortest', value: Math.min(...failedOver), unit: 'ms' },
      { name: 'a leader that stops in order, longest', value: Math.max(...handedOver), unit: 'ms' },
    ]
  } finally {
    await etcd.end()
  }
}
export default bench

interface Host { readonly store: Store; die(): void; stop(): Promise<void> }

async function host(etcd: EtcdServer, name: string, onWrite: () => void): Promise<Host> {
  const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/bench', clock, random: random.fork(name) })
  const self = { zone: 'z', host: name, actor: 'system-config', runtimeType: '', incarnation: 1, linkKid: '' }
  const leaders = createLeaders({ store, self, log: none })
  const peer: Peer = { zone: 'z', host: name, actor: NAME, runtimeType: '', incarnation: 1, kid: name }
  const stopping = new AbortController()
  let dead = false
  const alive = async <T>(run: () => Promise<T>): Promise<T> => (dead ? new Promise<T>(() => {}) : run())
  const led: Leading = leading({
    start: { clock, log: none, stopping: stopping.signal, gauge: () => {}, background: (task) => void task() },
    session: { token: () => '' }, name: NAME,
    systemConfig: {
      lead: () => alive(() => leaders.lead(NAME, peer)),
      async resign() {
        await alive(() => leaders.resign(NAME, peer))
        return {}
      },
      execTx: () => alive(async () => {
        const term = led.term!.term
        const { revision } = await store.transact([leaders.bind({ name: NAME, term }).compare], [
          { type: 'put', key: 'written', value: new TextEncoder().encode(name) },
        ])
        return { revision }
      }),
    },
    async body(term) {
      await term.write({ actions: {} })
      if (!dead) onWrite()
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve, { once: true }))
    },
  })
  return {
    store,
    die: () => {
      dead = true
      stopping.abort()
    },
    async stop() {
      stopping.abort()
      await led.stop()
    },
  }
}
