/**
 * Leaders by system-configs of several OODs over a real etcd, each on a connection of its own that can be cut: who
 * leads after a death, what one that stood still may write, and what one that is cut off still does.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leading, type Term } from '../actors/leading.ts'
import { Fenced, type SystemConfig } from '../actors/system-config/protocol.ts'
import { LONGEST_MS } from '../actors/system-config/shared/standing.ts'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Client } from '../runtime/protocol.ts'
import { openEtcdStore } from '../runtime/store/etcd.ts'
import type { Store } from '../runtime/store/store.ts'
import { failure, peer, policy, testZone } from './actors/system-config-zone.ts'
import { startCluster, type EtcdCluster } from './runtime/etcd-server.ts'

const NAME = 'scheduler'
const { clock, random } = await openPlatform()
const pause = (ms: number): Promise<void> => new Promise((resolve) => { clock.after(ms, () => resolve()) })
const stores: Store[] = []
const relays: Relay[] = []
let cluster: EtcdCluster
test.before(async () => { cluster = await startCluster() })
test.after(async () => {
  await Promise.all(stores.map((store) => store.close()))
  for (const relay of relays) relay.end()
  await cluster.end()
})

/** Bytes both ways to a member, for one host alone; cut, nothing gets through and nobody is told. */
interface Relay { readonly port: number; cut(): void; end(): void }
async function relayTo(port: number): Promise<Relay> {
  const open = new Set<Socket>()
  let isCut = false
  const server: Server = createServer((from) => {
    const to = connect(port, '127.0.0.1')
    for (const [one, other] of [[from, to], [to, from]] as const) {
      open.add(one)
      one.on('data', (bytes) => void (isCut || other.write(bytes)))
      one.on('error', () => other.destroy())
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const relay: Relay = {
    port: (server.address() as { port: number }).port,
    cut: () => { isCut = true },
    end() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
  relays.push(relay)
  return relay
}

/** OODs of one zone, each with a system-config of its own by its own way to etcd. */
async function zoneOf(prefix: string) {
  const zone = testZone({ clock })
  const ood = async (host: string) => {
    const ways = await Promise.all(cluster.members.map(({ port }) => relayTo(port)))
    const store = await openEtcdStore({
      endpoints: ways.map(({ port }) => `https://localhost:${port}`), prefix, credentials: cluster.credentials, clock,
      random: random.fork(host),
    })
    stores.push(store)
    const running = await zone.start(host === 'ood1' ? {} : zone.envOf(host), { host, store })
    const kv = running.as(
      zone.tokens.session(NAME, { sub: host, sid: `sid-${host}` }),
      peer(NAME, { host, runtimeType: 'kernel-service', kid: `${host}-link` }),
    )
    return { host, running, store, kv, cut: () => ways.forEach((way) => way.cut()) }
  }
  const first = await ood('ood1')
  await zone.boot(first.running, { 'system/rbac/policy': policy })
  await pause(100)
  const second = await ood('ood2')
  return { zone, first, second }
}

function leader(kv: Client<typeof SystemConfig>) {
  const stopping = new AbortController()
  const terms: Term[] = []
  const endedMs: number[] = []
  const begunMs: number[] = []
  let frozenAt: { readonly wall: number; readonly monotonic: number } | undefined
  const led = leading({
    start: {
      // While it stands still so do its clocks, and none of its timers runs: only the store can tell
      clock: {
        ...clock, after: (ms, task) => clock.after(ms, () => (frozenAt ? undefined : task())),
        now: () => frozenAt?.wall ?? clock.now(), monotonic: () => frozenAt?.monotonic ?? clock.monotonic(),
      },
      stopping: stopping.signal, gauge: () => {}, background: (task) => void task(),
      log: { info: () => {}, warn: () => {}, error: () => {} },
    },
    systemConfig: kv, session: { token: () => '' }, name: NAME,
    async body(term) {
      terms.push(term)
      begunMs.push(clock.monotonic())
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve, { once: true }))
      endedMs.push(clock.monotonic())
    },
  })
  const freeze = (): void => { frozenAt = { wall: clock.now(), monotonic: clock.monotonic() } }
  return { led, terms, begunMs, endedMs, freeze, stop: () => stopping.abort() }
}

async function until(what: string, withinMs: number, holds: () => boolean): Promise<void> {
  for (const end = clock.monotonic() + withinMs; !holds(); await pause(10)) assert.ok(clock.monotonic() < end, what)
}
const create = (key: string) => ({ actions: { [key]: { action: 'create' as const, value: '{}' } } })

test('a leader that stood still finds another one when it wakes, and its write is refused', async () => {
  const { first, second } = await zoneOf('/frozen')
  const one = leader(first.kv)
  await until('The first one leads', 5_000, () => one.terms.length === 1)
  await one.terms[0]!.write(create('system/scheduler/a'))
  const two = leader(second.kv)
  const frozenMs = clock.monotonic()
  one.freeze()
  await until('The next one leads', limits.leaderLeaseMs + 1_000, () => two.terms.length === 1)
  assert.ok(two.begunMs[0]! - frozenMs > limits.leaderLeaseMs / 2, 'not before its lease is over')
  await two.terms[0]!.write(create('system/scheduler/b'))
  // No timer of it has run: it does not know
  assert.is(one.terms[0]!.signal.aborted, false)
  const { details } = await failure(Fenced, () => one.terms[0]!.write(create('system/scheduler/c')))
  assert.is(details['leader'], 'ood2')
  assert.is(await first.store.get('kv/system/scheduler/c'), undefined)
  for (const each of [one, two]) each.stop()
  for (const each of [first, second]) each.running.stop()
})

test('one that is cut off from etcd stops leading before another begins, and its enforcers deny', async () => {
  const { zone, first, second } = await zoneOf('/cut')
  const one = leader(first.kv)
  await until('The first one leads', 5_000, () => one.terms.length === 1)
  const two = leader(second.kv)
  const session = zone.tokens.session('notes', { runtime_type: 'service' })
  const enforcer = first.running.as(session, peer('notes'))
  const items = enforcer.enforcement({ replaces: '' })[Symbol.asyncIterator]()
  const { lease, sequence } = (await items.next()).value!
  assert.is((await enforcer.renewLease({ lease, sequence })).granted, true)
  const cutMs = clock.monotonic()
  first.cut()
  await pause(limits.enforcementFreshMs)
  const renewing = failure(Unavailable, () => enforcer.renewLease({ lease, sequence }))
  // Who writes at the other one does not wait longer for it
  const revoking = second.running.as(zone.tokens.verifyHub(), peer('verify-hub', { runtimeType: 'kernel-service' }))
    .revoke({ sessions: [{ sid: 's-1', until: Math.floor(clock.now() / 1000) + 900 }] })
  const revokeMs = clock.monotonic()
  await revoking
  assert.ok(clock.monotonic() - revokeMs <= LONGEST_MS + 1_000, `answered after ${clock.monotonic() - revokeMs} ms`)
  await renewing
  await failure(Unavailable, () => enforcer.check({ key: 'services/notes/settings', act: 'read' }))
  await until('The next one leads', cutMs + limits.leaderLeaseMs + 1_000 - clock.monotonic(),
    () => two.terms.length === 1)
  await until('The first one knows', 1_000, () => one.endedMs.length === 1)
  assert.ok(one.endedMs[0]! <= two.begunMs[0]!, 'never two at a time')
  for (const each of [one, two]) each.stop()
  for (const each of [first, second]) each.running.stop()
})

test.run()
