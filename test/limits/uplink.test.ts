/** What bounds a host that reaches its zone over a wire, and the control plane's end of that. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTunnels } from '../../actors/enrolment/tunnels/tunnels.ts'
import type { ServerCertificate } from '../../actors/enrolment/server-certificate.ts'
import type { ZoneTrust } from '../../actors/enrolment/trust.ts'
import type { HostCertificate } from '../../actors/host-certificate.ts'
import { keepConnected } from '../../actors/uplink/connection.ts'
import { openDocuments } from '../../actors/uplink/documents.ts'
import { openTrust } from '../../actors/uplink/trust.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { TlsConnection } from '../../runtime/platform/tls-ports.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { manualClock } from '../actors/manual-clock.ts'

const { keys, random } = await openPlatform()
const HOUR_MS = 3_600_000

function parts() {
  const clock = manualClock()
  const dialled: { readonly at: number; readonly port: number; readonly withinMs: number }[] = []
  const stopping = new AbortController()
  const start = {
    clock, random, keys, stopping: stopping.signal, count() {}, gauge() {}, log: { info() {}, warn() {}, error() {} },
    self: { zone: 'a.zone', host: 'node1', actor: 'uplink', runtimeType: 'node', incarnation: 1, linkKid: '' },
    accept: async () => { throw new Unavailable('nobody') },
    transport: {
      async connectTls({ port, withinMs }: { port: number; withinMs: number }) {
        dialled.push({ at: clock.monotonic(), port, withinMs })
        throw new Unavailable('nothing listens')
      },
    },
  } as unknown as ActorStart
  return { clock, dialled, stopping, start }
}
const trustOf = (start: ActorStart) => openTrust({
  keys, clock: start.clock, store: createMemoryStore(start), zone: 'a.zone',
  start: { servers: [], roots: ['x'], anchors: [], rootsVersion: 0 },
})
const hostsOf = (start: ActorStart) =>
  openDocuments({ keys, store: createMemoryStore(start), zone: 'a.zone', zoneDocument: undefined })
const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', (error: unknown) =>
  (error instanceof ZonewrightError ? error.code : String(error)))

test('a host tries one server after the other, each for its time, at growing intervals up to the limit', async () => {
  const { clock, dialled, stopping, start } = parts()
  const first = { notAfter: clock.now() + 1_000 * HOUR_MS, tls: {}, chain: [] } as unknown as HostCertificate
  const connection = keepConnected({
    start, trust: await trustOf(start),
    hosts: await hostsOf(start), servers: ['10.0.0.1:1', '10.0.0.2:2'],
    first,
    certificates: { again: async () => first, next: async () => first },
  })
  const run = connection.run()
  for (let step = 0; step < 4_000 && dialled.length < 14; step++) await clock.advance(25)
  stopping.abort()
  await clock.advance(1)
  await run
  assert.equal(dialled.slice(0, 4).map(({ port }) => port), [1, 2, 1, 2])
  assert.ok(dialled.every(({ withinMs }) => withinMs === limits.uplinkAttemptMs))
  const gaps = dialled.slice(1).map(({ at }, index) => at - dialled[index]!.at)
  assert.ok(gaps[0]! <= 2 * limits.uplinkRetryMsMin, gaps.join())
  assert.ok(Math.max(...gaps) <= limits.uplinkRetryMsMax + 25, gaps.join())
  assert.ok(gaps.slice(-4).some((gap) => gap > limits.uplinkRetryMsMax / 4), gaps.join())
})

test('a link waits for the tunnel as long as the limit, and then is Unavailable', async () => {
  const { clock, start } = parts()
  const connection = keepConnected({
    start, trust: await trustOf(start),
    hosts: await hostsOf(start), servers: ['10.0.0.1:1'], first: undefined,
    certificates: { again: () => new Promise(() => {}), next: () => new Promise(() => {}) },
  })
  const [, end] = memoryChannelPair(clock)
  let code = ''
  void codeOf(connection.carrier.open({ protocol: 'a', caller: { host: 'node1', actor: 'b', incarnation: 1 } }, end))
    .then((found) => { code = found })
  await clock.advance(limits.uplinkWaitMs - 1)
  assert.is(code, '')
  await clock.advance(2)
  assert.is(code, 'Unavailable')
})

test('one more tunnel than the limit, those included that have not said who they are, is closed', async () => {
  const { clock, start } = parts()
  const certificate = { certificate: encodePem('CERTIFICATE', new Uint8Array([48, 0])) } as ServerCertificate
  const tunnels = createTunnels({
    start, certificate: () => certificate, placed: async () => [],
    news: async () => '', sight: { blind: false, run: async () => {} },
    trust: {
      nameOf: (der) => `node${der.join('-')}`,
      hostOf: async (der) => ({ name: `node${der!.join('-')}`, role: 'node', serial: '', notAfter: 0 }),
    } as Partial<ZoneTrust> as ZoneTrust,
    http: { open: () => Promise.reject(new Unavailable('There is no HTTP here')), recheck: async () => {} },
    telling: { toOne: async () => {}, toAll: async () => {} },
    admission: { admit: () => new Promise(() => {}), authorise: async () => {} },
  })
  const closed: string[] = []
  let taken = 0
  const take = (): void => tunnels.take({
    alpn: 'x', remoteAddress: `10.0.0.${taken % 200}`, certificate: Uint8Array.of(taken >> 8, taken++ & 255),
    unsent: 0, send() {}, receive() {},
    close: (reason: string) => void closed.push(reason),
  } as unknown as TlsConnection)
  for (let count = 0; count < limits.tunnels; count++) take()
  await clock.advance(1)
  assert.equal(closed, [])
  take()
  await clock.advance(1)
  assert.equal(closed, [`Too many tunnels: ${limits.tunnels}`])
})

test('a host takes as many authorities and lists as the limit, and no more', async () => {
  const { start } = parts()
  const trust = await trustOf(start)
  const many = (count: number): string =>
    JSON.stringify({ authorities: [], lists: Array.from({ length: count }, () => 'x') })
  const { toldCertificates: most } = limits
  for (const [count, said] of [[most, /not sound/], [most + 1, /shape/]] as const) {
    try {
      await trust.takeRevocations(many(count))
      assert.unreachable()
    } catch (error) {
      assert.match((error as Error).message, said)
    }
  }
})

test.run()
