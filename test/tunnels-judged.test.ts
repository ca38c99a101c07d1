/** Tunnels are judged for as long as they live: host, registration, streams. A host that is blind has none. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Denied, Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { codeOf, link, node, nodeNext, renewalOf, withTunnels } from './tunnels-fixture.ts'
import type { TunnelEnd } from '../transport/tunnel/protocol.ts'

const reasonOf = (end: TunnelEnd): { is?: string } => {
  const found: { is?: string } = {}
  void end.closed.then((reason) => { found.is = reason })
  return found
}
const gone = async (): Promise<void> => { throw new Denied('not registered any more') }

test('a host that is revoked between its admission and its place is closed at once', withTunnels(async (world) => {
  world.admit = async () => { world.admit = gone }
  const over = reasonOf(await world.dial())
  await world.clock.advance(1)
  assert.match(over.is ?? 'open', /not registered any more|closed/)
}))

test('each look asks for the registration, and one that fails is asked again', withTunnels(async (world) => {
  void world.tunnels.run()
  const end = await world.dial()
  const over = reasonOf(end)
  world.admit = async () => { throw new Unavailable('nobody can say now') }
  await world.pass(limits.tunnelRecheckMs)
  assert.is(over.is, undefined)
  world.admit = gone
  await world.pass(limits.tunnelRecheckMs)
  assert.is.not(over.is, undefined)
}))

test('while nothing has changed a tunnel is judged after the limit alone, and when its certificate has ended',
  withTunnels(async (world) => {
    world.notAfter = world.clock.now() + 10 * limits.tunnelJudgeMs
    let news = 'first'
    world.news = async () => news
    void world.tunnels.run()
    await world.dial()
    await world.pass(2 * limits.tunnelRecheckMs)
    const asked = async (ms: number): Promise<number> => {
      const before = world.admitted.length
      await world.pass(ms)
      return world.admitted.length - before
    }
    assert.is(await asked(limits.tunnelJudgeMs - 3 * limits.tunnelRecheckMs), 0)
    assert.is(await asked(3 * limits.tunnelRecheckMs), 1)
    news = 'second'
    assert.is(await asked(2 * limits.tunnelRecheckMs), 1)
    world.admit = async () => { throw new Unavailable('nobody can say now') }
    news = 'third'
    assert.is(await asked(4 * limits.tunnelRecheckMs), 4, 'until somebody can')
    world.admit = async () => {}
    await world.pass(2 * limits.tunnelRecheckMs)
    world.news = async () => { throw new Unavailable('nobody can say now') }
    assert.is(await asked(3 * limits.tunnelRecheckMs), 3)
    world.notAfter = world.clock.now() + 1
    await world.pass(2 * limits.tunnelRecheckMs)
    world.news = async () => news
    await world.pass(limits.tunnelRecheckMs)
    assert.is(await asked(2 * limits.tunnelRecheckMs), 2)
  }))

test('a host whose zone does not answer has no tunnels after the limit, and takes some again when it does',
  withTunnels(async (world) => {
    void world.tunnels.run()
    await world.pass(limits.tunnelSightMs)
    const over = reasonOf(await world.dial())
    world.ask = async () => { throw new Unavailable('no store') }
    await world.pass(limits.tunnelBlindMs - 2 * limits.tunnelSightMs)
    assert.is(over.is, undefined)
    await world.pass(3 * limits.tunnelSightMs)
    assert.is.not(over.is, undefined)
    const refused = codeOf(world.dial())
    await world.pass(1_000)
    assert.is.not(await refused, 'none')
    world.ask = async () => {}
    await world.pass(2 * limits.tunnelSightMs)
    const end = await world.dial()
    assert.is(reasonOf(end).is, undefined)
    assert.equal(world.tunnels.hosts(), ['node1'])
  }))

test('a zone that never answers is none either', withTunnels(async (world) => {
  void world.tunnels.run()
  const over = reasonOf(await world.dial())
  world.ask = () => new Promise(() => {})
  await world.pass(limits.tunnelBlindMs + 2 * limits.tunnelSightMs)
  assert.is.not(over.is, undefined)
}))

test('a zone that cannot be asked, since a session has ended, is not seen for now', withTunnels(async (world) => {
  let over = false
  world.tunnels.run().catch(() => { over = true })
  const first = reasonOf(await world.dial())
  world.ask = () => { throw new Unavailable('The session has expired') }
  await world.pass(limits.tunnelBlindMs + 2 * limits.tunnelSightMs)
  assert.equal([first.is === undefined, over], [false, false])
  world.ask = async () => {}
  await world.pass(2 * limits.tunnelSightMs)
  assert.is(reasonOf(await world.dial()).is, undefined)
}))

test('a link closes when the policy does not allow it any more, and the tunnel goes on', withTunnels(async (world) => {
  void world.tunnels.run()
  const end = await world.dial()
  const { channel } = await end.open(link('notes'))
  let closed: string | undefined
  channel.receive(() => {}, (reason) => { closed = reason })
  world.authorise = async () => { throw new Unavailable('nobody can say now') }
  await world.pass(limits.tunnelRecheckMs)
  assert.is(closed, undefined)
  world.authorise = async () => { throw new Denied('not any more') }
  await world.pass(limits.tunnelRecheckMs)
  assert.is.not(closed, undefined)
  assert.equal(world.tunnels.hosts(), ['node1'])
}))

test('a look that began with the last certificate says nothing of the next', withTunnels(async (world) => {
  const end = await world.dial()
  await world.clock.advance(1)
  const over = reasonOf(end)
  let answer: () => void = () => {}
  world.admit = (der) => der === node.certificate.raw
    ? new Promise((_, refuse) => { answer = () => refuse(new Denied('that one is revoked')) }) : Promise.resolve()
  const looking = world.tunnels.recheck()
  await end.renew(renewalOf(nodeNext))
  answer()
  await looking
  await world.clock.advance(1)
  assert.is(over.is, undefined)
  assert.equal([...world.admitted.at(-1)!], [...nodeNext.certificate.raw])
}))

test('a certificate of ours that changes while a tunnel is made is followed to', withTunnels(async (world) => {
  let followed = 0
  world.admit = async () => {
    world.admit = async () => {}
    world.tunnels.renew(world.renewOwn())
  }
  await world.dial({ onRenew: () => void followed++ })
  await world.pass(50)
  assert.is(followed, 1)
  assert.equal(world.tunnels.hosts(), ['node1'])
}))

test.run()
