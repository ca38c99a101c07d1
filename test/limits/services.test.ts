/** Limits of the services that a zone runs beside its control plane. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createRounds } from '../../actors/cert-manager/rounds.ts'
import { Rates, networkOf } from '../../actors/dns/rate.ts'
import { converse } from '../../actors/dns/stream.ts'
import type { Told } from '../../actors/cert-manager/due.ts'
import { listCertificates } from '../../boot/client/certificates.ts'
import type { ZoneClient } from '../../boot/client/zone-client.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Sockets } from '../../runtime/platform/socket-ports.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { inLiveZone } from '../actors/live-zone.ts'
import { manualClock, START_MS } from '../actors/manual-clock.ts'
import { withHost } from '../runtime/supervisor-fixture.ts'

test('as many gauges as an actor may have are told, and one that is taken back makes room', async () => {
  let telling: ((name: string, value: number | undefined) => void) | undefined
  const a = { start: (given: Pick<ActorStart, 'gauge'>) => void (telling = given.gauge) }
  await withHost({ a }, async (host) => {
    await host.supervisor.start('a')
    const gauges = async () => (await host.supervisor.inspect()).find(({ actor }) => actor === 'a')?.gauges ?? {}
    for (let name = 0; name <= limits.gauges; name++) telling!(`name_${name}`, name)
    telling!('name_1', 7)
    const told = await gauges()
    assert.equal([Object.keys(told).length, told['name_1'], told[`name_${limits.gauges}`]],
      [limits.gauges, 7, undefined])
    telling!('name_1', undefined)
    telling!('another', 1)
    const after = await gauges()
    assert.equal([after['name_1'], after['another']], [undefined, 1])
  })
})

test('one network is answered as often as the limit, twice as often at once, and others beside it', () => {
  const rates = new Rates()
  const ask = (address: string, nowMs: number, times: number): number =>
    Array.from({ length: times }, () => rates.admits(address, nowMs)).filter(Boolean).length
  const burst = 2 * limits.dnsQueriesPerSecond
  assert.is(ask('192.0.2.1', 0, burst + 10), burst)
  assert.is(ask('192.0.2.200', 0, 1), 0, 'the same network')
  assert.is(ask('192.0.3.1', 0, 1), 1)
  assert.is(ask('192.0.2.1', 1_000, burst), limits.dnsQueriesPerSecond)
  assert.is(ask('192.0.2.1', 3_600_000, 2 * burst), burst, 'no more is saved up')
  const addresses = ['::ffff:192.0.2.9', '2001:db8:1:2ff::1', '2001:db8:1:200:1:2:3:4', '::1', 'fe80::1%eth0']
  assert.equal(addresses.map(networkOf),
    ['192.0.2', '2001:db8:1:2', '2001:db8:1:2', '0:0:0:0', 'fe80:0:0:0'])
})

test('as many networks as the limit are counted, and the one that was quiet longest is forgotten', () => {
  const rates = new Rates()
  const address = (index: number): string => `10.${index >> 8}.${index & 255}.1`
  for (let spent = 0; spent < 2 * limits.dnsQueriesPerSecond; spent++) rates.admits(address(0), 0)
  assert.is(rates.admits(address(0), 0), false)
  for (let index = 1; index < limits.dnsNetworks; index++) rates.admits(address(index), 0)
  assert.equal([rates.size, rates.admits(address(0), 0)], [limits.dnsNetworks, false])
  for (let index = 1; index <= limits.dnsNetworks; index++) rates.admits(`172.16.${index >> 8}.${index & 255}`, 0)
  rates.admits('192.0.2.1', 0)
  assert.ok(rates.size <= limits.dnsNetworks)
})

const framed = (length: number): Uint8Array => Uint8Array.from([length >> 8, length & 255, ...new Uint8Array(length)])
async function answersTo(pieces: readonly Uint8Array[]): Promise<readonly number[]> {
  const lengths: number[] = []
  async function* given(): AsyncIterable<Uint8Array> { yield* pieces }
  for await (const reply of converse(given(), (message) => Uint8Array.of(message.length >> 8, message.length & 255))) {
    lengths.push(reply[2]! << 8 | reply[3]!)
  }
  return lengths
}

test('a query by TCP may be as long as the limit, and come in as many pieces, and no more', async () => {
  const { dnsQueryBytes } = limits
  assert.equal(await answersTo([framed(dnsQueryBytes), framed(3)]), [dnsQueryBytes, 3])
  assert.equal(await answersTo([framed(3), framed(dnsQueryBytes + 1), framed(3)]), [3], 'the connection ends')
  const slow = [...framed(limits.dnsPieces - 2)].map((byte) => Uint8Array.of(byte))
  assert.equal(await answersTo([...slow, ...slow]), [limits.dnsPieces - 2, limits.dnsPieces - 2])
  const slower = [...framed(limits.dnsPieces)].map((byte) => Uint8Array.of(byte))
  assert.equal(await answersTo([...slower, framed(1)]), [])
})

test('a name server listens with its limits, and learns of a change a moment later, once for many', async () => {
  const config = { dns: { port: 5_353 } }
  let asked: Parameters<Sockets['serveStreams']>[0] | undefined
  await inLiveZone(async (live) => {
    assert.equal([asked?.connectionsMax, asked?.idleMs], [limits.dnsConnections, limits.dnsIdleMs])
    const long = new Uint8Array(limits.dnsQueryBytes + 1)
    assert.is(await live.world.datagram('ood1', 5_353, long), undefined, 'a longer query is dropped')
    assert.ok(await live.world.datagram('ood1', 5_353, long.subarray(1)))
    const isThere = async (): Promise<boolean> => {
      const query = Uint8Array.from([
        0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 119, 101, 98, 4, 122, 111, 110, 101, 5, 108, 111, 99, 97, 108, 0,
        0, 1, 0, 1,
      ])
      const reply = (await live.world.datagram('ood1', 5_353, query))!
      return (reply[3]! & 15) === 0
    }
    const spec = {
      name: 'web', appid: 'web', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 0,
      http: { port: 8_000 },
    }
    await live.set('services/web/spec', spec)
    await live.pause(limits.dnsSettleMs / 4)
    assert.is(await isThere(), false)
    await live.pause(2 * limits.dnsSettleMs)
    assert.is(await isThere(), true)
  }, {
    dns: (definition) => ({
      ...definition,
      start: (start) => definition.start({
        ...start,
        transport: {
          ...start.transport,
          serveStreams(options, handle) {
            asked = options
            return start.transport.serveStreams(options, handle)
          },
        },
      }),
    }),
  }, { config })
})

test('one address has as many connections to the name server as its share, and another has its own', async () => {
  const { dnsConnectionsPerAddress } = limits
  let handle: Parameters<Sockets['serveStreams']>[1] | undefined
  await inLiveZone(async () => {
    const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    const open = (from: string) => handle!(never, from)[Symbol.asyncIterator]().next()
    const ended = (asked: Promise<{ done?: boolean }>): Promise<boolean> =>
      Promise.race([asked.then(({ done }) => done === true), Promise.resolve().then(async () => {
        for (let turn = 0; turn < 20; turn++) await Promise.resolve()
        return false
      })])
    for (let count = 0; count < dnsConnectionsPerAddress; count++) assert.is(await ended(open('192.0.2.1')), false)
    assert.is(await ended(open('192.0.2.1')), true)
    assert.is(await ended(open('192.0.2.2')), false)
  }, {
    dns: (definition) => ({
      ...definition,
      start: (start) => definition.start({
        ...start,
        transport: {
          ...start.transport,
          serveStreams(options, converses) {
            handle = converses
            return start.transport.serveStreams(options, converses)
          },
        },
      }),
    }),
  }, { config: { dns: { port: 5_353 } } })
})

/** A manager of certificates whose vault answers as it is told to. */
function rounds(vault: object, published: object = {}) {
  const clock = manualClock()
  const stopping = new AbortController()
  const made = createRounds({
    term: () => ({ write: async () => ({ revision: 1 }) }),
    start: {
      clock, random: new SeededRandom('rounds'), stopping: stopping.signal, gauge: () => {}, count: () => {},
      log: { info: () => {}, warn: () => {}, error: () => {} },
    },
    vault: {
      ensureAuthorities: async () => [], authorities: async () => [],
      tidyCertificates: async () => ({ removed: 0, left: 0 }),
      certificates: async () => ({ certificates: [], more: false }), ...vault,
    } as never,
    published: {
      told: async () => new Map<string, Told>(), roots: async () => ({ version: 1, refreshAt: Infinity }),
      lists: async () => ({ refreshAt: Infinity, oldestEnds: Infinity }), ...published,
    } as never,
  })
  return { clock, made, stop: () => stopping.abort() }
}

test('a round comes when something is due, and as often as the limit', async () => {
  const at: number[] = []
  const tidied: (number | undefined)[] = []
  let refreshAt = Infinity
  const { clock, made, stop } = rounds({
    status: async () => {
      at.push(clock.monotonic() - START_MS)
      return { sealed: false }
    },
    tidyCertificates: async ({ safetyMs }: { safetyMs?: number }) => {
      tidied.push(safetyMs)
      return { removed: 0, left: 0 }
    },
  }, { roots: async () => ({ version: 1, refreshAt: refreshAt > clock.now() ? refreshAt : Infinity }) })
  const running = made.run()
  await clock.advance(2 * limits.certificateRoundMs)
  assert.equal(at.splice(0), [0, limits.certificateRoundMs, 2 * limits.certificateRoundMs])
  assert.equal([...new Set(tidied)], [limits.certificateKeepMs])
  refreshAt = clock.now() + limits.certificateRoundMs + 60_000
  await clock.advance(limits.certificateRoundMs + 60_000)
  assert.equal(at, [3 * limits.certificateRoundMs, 3 * limits.certificateRoundMs + 60_000])
  stop()
  await running
})

test('after a round that failed the next comes soon, and then ever later', async () => {
  const at: number[] = []
  const { clock, made, stop } = rounds({
    status: async () => {
      at.push(clock.monotonic())
      throw new Error('Planted')
    },
  })
  const running = made.run()
  await clock.advance(24 * limits.certificateRetryMsMax)
  const waits = at.slice(1).map((time, index) => time - at[index]!)
  assert.ok(waits[0]! <= 2 * limits.certificateRetryMsMin, `${waits[0]}`)
  assert.ok(waits.every((wait) => wait <= limits.certificateRetryMsMax), waits.join())
  assert.ok(waits.at(-1)! >= limits.certificateRetryMsMax / 2, waits.join())
  stop()
  await running
})

test('the inventory is told in pages of at most the limit', async () => {
  await inLiveZone(async (live) => {
    const { CertManager } = await managers
    const ask = async (limit: number): Promise<string> => {
      const settings = { token: await live.root('cert-manager') }
      return live.zone.get(CertManager).krpc({ method: 'certificates', params: { limit } }, settings)
        .then(() => 'told', (error: { code?: string }) => String(error.code))
    }
    await live.pause(5_000)
    assert.equal([await ask(limits.certificatesShown), await ask(limits.certificatesShown + 1)],
      ['told', 'InvalidArgument'])
  })
})
const managers = import('../../actors/cert-manager/protocol.ts')

test('the command line collects as many certificates as the limit, and says when there are more', async () => {
  const certificate = {
    mount: 'pki', serial: '01', role: 'r', subject: '', names: [], authority: '', holder: '', notBefore: 0, notAfter: 1,
    revokedAt: null, state: 'valid', urgency: 'good',
  }
  const page = Array.from({ length: limits.clientCertificates / 2 }, () => certificate)
  const client = (pages: number, more: number): ZoneClient => {
    let told = 0
    return {
      call: async () => {
        told++
        const certificates = told > pages ? page.slice(0, more) : page
        return { certificates, next: told > pages ? null : 'pki/01' }
      },
    } as unknown as ZoneClient
  }
  assert.is((await listCertificates(client(2, 0), undefined)).length, limits.clientCertificates)
  const error = await listCertificates(client(3, 1), undefined).catch((thrown: unknown) => thrown)
  assert.instance(error, LimitExceeded)
})

test.run()
