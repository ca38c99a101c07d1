/** Streams that go on from the tunnel of one host to that of another, here or at another OOD, and no further. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import type { AcceptedStream, StreamRequest, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { another, codeOf, link, withTunnels as withWorld, type World } from './tunnels-fixture.ts'

const withTunnels = (task: (world: World) => Promise<void>) => withWorld(async (world) => {
  // This host has no actor of that name
  world.accept = async () => { throw new Unavailable('it does not serve') }
  await task(world)
})
interface Dialled {
  readonly end: TunnelEnd
  /** What it was asked for: protocol, or service, and host. */
  readonly asked: string[]
  /** Why streams that it had granted were closed. */
  readonly closed: string[]
}
/** A host that grants streams as that host, or has none. */
async function host(world: World, name: string, grants?: string): Promise<Dialled> {
  const asked: string[] = []
  const closed: string[] = []
  const onOpen = async (request: StreamRequest): Promise<AcceptedStream> => {
    asked.push(`${request.type === 'link' ? request.protocol : request.service} ${request.host ?? '-'}`)
    if (grants === undefined) throw new Unavailable('nothing is here')
    const [inner, outer] = memoryChannelPair(world.clock)
    outer.receive((frame) => outer.send(frame), (reason) => void closed.push(reason))
    return { granted: { host: grants, incarnation: 7 }, channel: inner, release() {} }
  }
  const end = await world.dial({ host: name, certificate: await another(name), onOpen })
  await world.pass(limits.tunnelAgainMs)
  return { end, asked, closed }
}
const wants = (from: string, to?: string): StreamRequest =>
  ({ ...link('echo', from), ...(to === undefined ? {} : { host: to }) }) as StreamRequest
async function settled<T>(world: World, work: Promise<T>): Promise<T> {
  work.catch(() => {})
  await world.pass(200)
  return work
}

test('a link goes to the tunnel of its host, and where another OOD has that, by it', withTunnels(async (world) => {
  const node1 = await host(world, 'node1')
  const [ood2, ood3] = [await host(world, 'ood2'), await host(world, 'ood3', 'node3')]
  const opened = await settled(world, node1.end.open(wants('node1', 'node3')))
  assert.equal(opened.granted, { host: 'node3', incarnation: 7 })
  assert.equal([ood2.asked, ood3.asked], [['echo node3'], ['echo node3']])
  let back: unknown
  opened.channel.receive((frame) => { back = frame }, () => {})
  opened.channel.send(new Uint8Array([1, 2]))
  await world.pass(200)
  assert.equal(back, new Uint8Array([1, 2]))
  const node4 = await host(world, 'node4', 'node4')
  assert.is((await settled(world, node1.end.open(wants('node1', 'node4')))).granted.host, 'node4')
  assert.equal([ood2.asked.length, node4.asked], [1, ['echo node4']], 'nobody else was asked')
  world.placed = async () => ['node3']
  assert.is((await settled(world, node1.end.open(wants('node1')))).granted.host, 'node3', 'where the zone says it is')
  const own = world.tunnels.ways.find({
    type: 'link', protocol: 'echo', host: 'node3', caller: { host: 'ood1', actor: 'a', incarnation: 1 },
  })
  assert.is((await settled(world, own)).granted.host, 'node3', 'and for actors of this host')
}))

test('what comes from another OOD goes to a node of this one, and to no third', withTunnels(async (world) => {
  const [ood2, ood3] = [await host(world, 'ood2', 'ood2'), await host(world, 'ood3', 'node9')]
  await host(world, 'node1', 'node1')
  assert.is((await settled(world, ood2.end.open(wants('node2', 'node1')))).granted.host, 'node1')
  assert.is(await settled(world, codeOf(ood2.end.open(wants('node2', 'node9')))), 'Unavailable')
  assert.is(await settled(world, codeOf(ood2.end.open(wants('node2', 'ood3')))), 'Unavailable')
  assert.equal(ood3.asked, [], 'it was not asked')
}))

test('who leads to another host than was asked for leads nowhere', withTunnels(async (world) => {
  const node1 = await host(world, 'node1')
  const liar = await host(world, 'node2', 'node3')
  assert.is(await settled(world, codeOf(node1.end.open(wants('node1', 'node2')))), 'Denied')
  assert.is(liar.closed.length, 1)
  await host(world, 'ood2', 'node3')
  assert.is(await settled(world, codeOf(node1.end.open(wants('node1', 'node8')))), 'Denied')
}))

test('of two that have it one is taken, and the other one is closed', withTunnels(async (world) => {
  const node1 = await host(world, 'node1')
  const [ood2, ood3] = [await host(world, 'ood2', 'node3'), await host(world, 'ood3', 'node3')]
  const { channel } = await settled(world, node1.end.open(wants('node1', 'node3')))
  channel.receive(() => {}, () => {})
  await world.pass(500)
  assert.equal([ood2.asked.length, ood3.asked.length, ood2.closed.length + ood3.closed.length], [1, 1, 1])
}))

test('of the hosts of a service so many are asked for at other OODs', withTunnels(async (world) => {
  const node1 = await host(world, 'node1')
  const ood2 = await host(world, 'ood2')
  world.placed = async () => Array.from({ length: 9 }, (_, n) => `far${n}`)
  assert.is(await settled(world, codeOf(node1.end.open(wants('node1')))), 'Unavailable')
  assert.is(ood2.asked.length, limits.relayedHosts)
}))

test('a host that answers nobody takes so many places of another OOD’s tunnel, and others have theirs', withTunnels(
  async (world) => {
    const silent = async (request: StreamRequest): Promise<AcceptedStream> => {
      if (request.host === 'node3') return new Promise(() => {})
      const [inner, outer] = memoryChannelPair(world.clock)
      outer.receive(() => {}, () => {})
      return { granted: { host: request.host!, incarnation: 7 }, channel: inner, release() {} }
    }
    await world.dial({ host: 'ood2', certificate: await another('ood2'), onOpen: silent })
    await world.pass(limits.tunnelAgainMs)
    const reach = (to: string, device = 'laptop') => codeOf(world.tunnels.ways.reach(
      { type: 'http', service: 's', port: 1 }, [to], { name: device, role: 'client-device' }))
    const soon = async (work: Promise<string>): Promise<string> => {
      await world.pass(50)
      return Promise.race([work, 'it waits'])
    }
    const waits: Promise<string>[] = []
    while (await soon(waits[waits.push(reach('node3')) - 1]!) === 'it waits') {}
    assert.is(await waits.pop(), 'Overloaded')
    assert.is(waits.length, limits.relayWaiting * limits.relayedWaitingRatio / (limits.relayedWaitingRatio + 1))
    while (await soon(waits[waits.push(reach('node3', `phone${waits.length}`)) - 1]!) === 'it waits') {}
    assert.is(await waits.pop(), 'Overloaded')
    assert.is(waits.length, limits.relayWaiting)
    assert.is(await settled(world, reach('node4')), 'none')
    await world.pass(limits.tunnelOpenMs + 200)
    assert.equal([...new Set(await Promise.all(waits))], ['DeadlineExceeded'])
    const later = reach('node3')
    await world.pass(limits.tunnelOpenMs + 200)
    assert.is(await later, 'DeadlineExceeded', 'there are places again')
  }))

test('who answers in place of the OOD that was dialled is no way', withTunnels(async (world) => {
  const signal = new AbortController().signal
  const dial = () => world.tunnels.dial('ood2', { hostname: '10.0.0.2', port: 1 }, signal)
  for (const name of ['ood3', 'node2']) {
    world.answers = await another(name)
    let code = 'it lasts'
    void codeOf(dial()).then((found) => { code = found })
    await world.pass(200)
    assert.is(code, 'Denied', name)
    assert.equal(world.tunnels.hosts(), [])
  }
  world.answers = await another('ood2')
  const lasting = dial()
  await world.pass(200)
  assert.equal(world.tunnels.hosts(), ['ood2'])
  world.tunnels.close()
  await settled(world, lasting)
  assert.equal(world.tunnels.hosts(), [])
}))

test('an OOD that is not admitted is no way', withTunnels(async (world) => {
  world.answers = await another('ood2')
  world.admit = async () => { throw new Unavailable('nobody can say now') }
  const dial = world.tunnels.dial('ood2', { hostname: '10.0.0.2', port: 1 }, new AbortController().signal)
  assert.is(await settled(world, codeOf(dial)), 'Unavailable')
  assert.equal(world.tunnels.hosts(), [])
}))

test.run()
