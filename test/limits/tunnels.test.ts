/** What bounds tunnels before anything is done for them, and the links of one host. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAdmitting } from '../../actors/enrolment/sources.ts'
import { createTelling } from '../../actors/enrolment/tunnels/telling.ts'
import { HostCertificateNeeded } from '../../actors/enrolment/trust.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest } from '../../runtime/platform/ports.ts'
import type { TunnelEnd } from '../../transport/tunnel/protocol.ts'
import { manualClock } from '../actors/manual-clock.ts'
import { another, codeOf, link, node, nodeNext, withTunnels, type World } from '../tunnels-fixture.ts'

/** What became of it in a moment. */
async function soon(world: World, work: Promise<unknown>): Promise<string> {
  let found = 'it waits'
  void codeOf(work).then((code) => { found = code })
  await world.pass(50)
  return found
}

test('so many links of one host wait, and so many there are; others have their places', withTunnels(async (world) => {
  const [end, other] = [await world.dial(), await world.dial({ host: 'node2', certificate: nodeNext })]
  let goOn: () => void = () => {}
  const going = new Promise<void>((settle) => { goOn = settle })
  world.accept = () => going
  const first = Array.from({ length: limits.tunnelHostWaiting }, () => end.open(link('notes')))
  for (const work of first) work.catch(() => {})
  await world.pass(50)
  assert.is(await soon(world, end.open(link('notes'))), 'Overloaded')
  const theirs = other.open(link('notes', 'node2'))
  theirs.catch(() => {})
  goOn()
  assert.is(await soon(world, Promise.all([theirs, ...first])), 'none')
  const all = await Promise.all(first)
  world.accept = async () => {}
  while (all.length < limits.tunnelHostStreams) all.push(await end.open(link('notes')))
  assert.is(await soon(world, end.open(link('notes'))), 'Overloaded')
  assert.is(await soon(world, other.open(link('notes', 'node2'))), 'none')
  for (const { channel } of all) channel.receive(() => {}, () => {})
  all[0]!.channel.close('done')
  assert.is(await soon(world, end.open(link('notes'))), 'none')
}))

test(
  'one host begins so many tunnels in a window; nothing is done for one more, and others come',
  withTunnels(async (world) => {
    world.good = () => false
    for (let count = 0; count < limits.tunnelsPerSource; count++) world.silent(node, '10.0.0.9')
    await world.pass(100)
    const before = world.admitted.length
    const said = world.warnings.length
    world.good = undefined
    // Strangers behind the same address are counted for nobody, and fill no log
    for (let count = 0; count <= limits.tunnelsPerSource; count++) world.stranger('10.0.0.9')
    const more = codeOf(world.dial({ address: '10.0.0.8' }))
    await world.pass(1_000)
    assert.is.not(await more, 'none')
    assert.is(world.admitted.length, before)
    assert.match(world.closed.at(-1)!, /Too many tunnels of node1/)
    assert.is(world.warnings.length, said)
    await world.dial({ host: 'node2', certificate: nodeNext, address: '10.0.0.9' })
    assert.equal(world.tunnels.hosts(), ['node2'])
  }),
)

test('a host waits so long for its next tunnel, and of those that wait there is one', withTunnels(async (world) => {
  const first = await world.dial()
  const second = world.dial()
  let third = 'it waits'
  void codeOf(world.dial()).then((code) => { third = code })
  await world.pass(limits.tunnelAgainMs - 50)
  assert.not.ok(['it waits', 'none'].includes(third), third)
  assert.is(world.admitted.length, 2, 'the first, and the look after it')
  assert.is(await soon(world, second), 'none')
  assert.match(await first.closed, /anew|closed/)
}))

test('who has no good certificate takes no place, and is told so beside so many others', withTunnels(async (world) => {
  world.good = (der) => der !== node.certificate.raw
  for (let count = 0; count < limits.tunnelsRefusing; count++) world.silent()
  await world.pass(50)
  assert.equal(world.closed, [])
  world.silent()
  await world.pass(50)
  assert.equal(world.closed, ['refused'])
  assert.is(await soon(world, world.dial({ host: 'node2', certificate: nodeNext })), 'none')
  assert.equal(world.tunnels.hosts(), ['node2'])
}))

test('who waits to be let in says a greeting, and no more', withTunnels(async (world) => {
  await world.dial()
  const connection = world.silent()
  connection.send(new Uint8Array(limits.tunnelGreetingBytes))
  await world.pass(50)
  assert.equal(world.closed, [])
  connection.send(new Uint8Array(1))
  await world.pass(50)
  assert.equal(world.closed, ['too much before it is let in'])
}))

test('so many tunnels are looked at together', withTunnels(async (world) => {
  for (let count = 0; count <= limits.tunnelLooks; count++) {
    await world.dial({ host: `n${count}`, certificate: await another(`n${count}`) })
  }
  await world.pass(50)
  let asked = 0
  world.admit = () => {
    asked++
    return new Promise(() => {})
  }
  void world.tunnels.run()
  await world.pass(limits.tunnelRecheckMs + 50)
  assert.is(asked, limits.tunnelLooks)
}))

test('a new tunnel is told what was read a moment ago, and no longer', async () => {
  const clock = manualClock()
  let reads = 0
  const telling = createTelling({ clock, log: { info() {}, warn() {}, error() {} } as never }, {
    roots: async () => ({ document: 'roots' }) as never, authorities: async () => [],
    crl: async () => {
      reads++
      return []
    },
  }, async () => 'hosts')
  const told: string[] = []
  const newEnd = () => ({ tell: (kind: string) => void told.push(kind) }) as Partial<TunnelEnd> as TunnelEnd
  await Promise.all(Array.from({ length: 50 }, () => telling.toOne(newEnd())))
  assert.equal([reads, told.length], [1, 150])
  await clock.advance(limits.tunnelToldMs)
  await telling.toOne(newEnd())
  assert.is(reads, 2)
  await telling.toAll([newEnd()])
  assert.is(reads, 3, 'whoever is connected is told what is so now')
})

test('whoever comes while the vault is sealed is told all once it is not, and the others what is new', async () => {
  const clock = manualClock()
  let document = 'first'
  let sealed = false
  const reached = (): void => { if (sealed) throw new Unavailable('The vault is sealed') }
  const telling = createTelling({ clock, log: { info() {}, warn() {}, error() {} } as never }, {
    roots: async () => ({ document }) as never, authorities: async () => [],
    crl: async () => {
      reached()
      return []
    },
  }, async () => 'all')
  const toldTo = () => {
    const told: string[] = []
    const end = { tell: (kind: string, text: string) => void told.push(`${kind} ${text}`) }
    return { told, end: end as Partial<TunnelEnd> as TunnelEnd }
  }
  const lists = 'revocation-lists {"authorities":[],"lists":[]}'
  const [before, during] = [toldTo(), toldTo()]
  await telling.toOne(before.end)
  await telling.toAll([before.end])
  before.told.length = 0
  sealed = true
  await clock.advance(limits.tunnelToldMs)
  await telling.toOne(during.end)
  document = 'second'
  await telling.toAll([before.end, during.end])
  assert.equal([before.told, during.told], [[], []])
  sealed = false
  for (let round = 0; round < 2; round++) await telling.toAll([before.end, during.end])
  assert.equal([before.told, during.told], [['roots second'], ['roots second', lists, 'hosts all']])
})

test('a host asks so often by its certificate, an address as often as without one', async () => {
  const clock = manualClock()
  let judged = 0
  const admitting = createAdmitting({
    clock, count() {}, nameOf: (der) => (der[0] === 9 ? undefined : `node ${der[0]}`),
    async hostOf(der) {
      judged++
      if (der![0] === 0 || der![0] === 9) throw new HostCertificateNeeded('revoked', { reason: 'revoked' })
      return { name: `node${der![0]}`, role: 'node', serial: '', notAfter: 0 }
    },
  })
  const ask = async (host: number, remoteAddress: string): Promise<number> => {
    const ok = async () => ({ status: 200, headers: {}, body: '' })
    try {
      return (await admitting.host({ remoteAddress } as HttpRequest, Uint8Array.of(host), ok)).status
    } catch {
      return 401
    }
  }
  for (let count = 0; count < limits.enrolmentPerHost; count++) assert.is(await ask(1, '10.0.0.1'), 200)
  assert.equal([await ask(1, '10.0.0.2'), await ask(2, '10.0.0.2')], [429, 200])
  for (const bad of [0, 9]) {
    for (let count = 0; count < limits.enrolmentPerSource; count++) await ask(bad, '10.0.0.3')
    const before = judged
    assert.is(await ask(bad, bad === 0 ? '10.0.0.4' : '10.0.0.3'), 429, 'one that is not good, and one of nobody')
    assert.is(judged, before)
    assert.is(await ask(2, '10.0.0.3'), 200, 'others behind the same address ask on')
  }
  assert.is(admitting.stranger({ remoteAddress: '10.0.0.3' } as HttpRequest), undefined)
})

test.run()
