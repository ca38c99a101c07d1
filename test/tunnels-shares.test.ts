/** Streams of many hosts by one tunnel: what some of them take keeps nobody else out. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { OpenedStream, StreamRequest } from '../transport/tunnel/protocol.ts'
import { codeOf, link } from './tunnels-fixture.ts'
import { listen, withShared } from './tunnels-shares-fixture.ts'

/** Asks for more until it is refused. @returns what was opened, and the error */
async function asMany(open: (index: number) => Promise<OpenedStream>): Promise<[OpenedStream[], ZonewrightError]> {
  const all: OpenedStream[] = []
  for (;;) {
    const settled = await Promise.allSettled(Array.from({ length: 32 }, (_, index) => open(all.length + index)))
    for (const one of settled) if (one.status === 'fulfilled') all.push(one.value)
    const refused = settled.find((one) => one.status === 'rejected')
    if (refused) return [all, (refused as PromiseRejectedResult).reason as ZonewrightError]
    if (all.length > limits.tunnelStreams) assert.unreachable('it is never refused')
  }
}
const listenAll = (streams: readonly OpenedStream[]): void => { for (const { channel } of streams) listen(channel) }

test('what four hosts open keeps no fifth out, and they are told why', withShared(async (world) => {
  for (let index = 1; index <= 4; index++) {
    const name = `node${index}`
    const end = await world.host(name)
    // Whoever they say that it is for
    const lie = (at: number) => ({ by: [`x${at}`] }) as Partial<StreamRequest>
    const [all, error] = await asMany((at) => world.open(end, name, `${name}.${at}`, lie(at)))
    assert.equal([all.length, error.code, error.details], [
      limits.relayedPerOrigin, 'Overloaded', { origin: name, host: 'ood2', limit: 'relayedPerOrigin' },
    ])
    assert.is(error.message, `Too many streams for ${name} go by the tunnel to ood2: relayedPerOrigin`)
  }
  assert.is((await world.open(await world.host('node5'), 'node5', 'mine')).granted.host, 'node9')
  // Their other ways are theirs still
  await world.host('node6')
  assert.is((await world.reach('node1', 'other', 'node6')).granted.host, 'node6')
}))

test('what comes by the gateway leaves the actors of this host their places', withShared(async (world) => {
  const { ways } = world.tunnels
  const own = async (request: StreamRequest): Promise<OpenedStream> => {
    const opening = ways.reach(request, ['node9'])
    opening.catch(() => {})
    await world.settle()
    return opening
  }
  const [web, error] = await asMany((at) => own({ type: 'http', service: `own ${at}`, port: 1 }))
  assert.equal([web.length, error.details['origin']], [limits.relayedPerOrigin, 'ood1/gateway'])
  const [links, more] = await asMany((at) => own(link(`own ${at}`, 'ood1')))
  assert.equal([links.length, more.details['origin']], [limits.relayedPerOrigin, 'ood1'])
}))

test('the more origins there are, the less each may have, and the next one has a place', withShared(async (world) => {
  let last: number = limits.relayedPerOrigin
  let total = 0
  for (let index = 0; index < 24; index++) {
    const [all] = await asMany((at) => world.reach(`laptop${index}`, `${index}.${at}`))
    listenAll(all)
    total += all.length
    assert.ok(all.length > 0 && all.length <= last, `${all.length} after ${last}`)
    const others = limits.tunnelStreams - total
    assert.ok(all.length <= others / limits.relayedPart + 1, `${all.length} of ${others}`)
    last = all.length
  }
  assert.ok(total > limits.tunnelStreams * 0.9)
}))

test('a place is free again after each end that a stream may come to', withShared(async (world) => {
  const [all] = await asMany((at) => world.reach('laptop', `p${at}`))
  assert.is(all.length, limits.relayedPerOrigin)
  listenAll(all)
  let next = 0
  const open = () => all[next++]!.channel.close('done')
  const ends: readonly (readonly [what: string, end: () => unknown])[] = [
    ['this end closes', open],
    ['the other end closes', () => world.far.get('p500')!.close('done')],
    // Of those that never open the place is free before
    ['it is refused', async () => {
      open()
      await world.settle()
      assert.is(await codeOf(world.reach('laptop', 'gone')), 'Unavailable')
    }],
    ['it is taken back', async () => {
      open()
      await world.settle()
      const stop = new AbortController()
      const opening = codeOf(world.reach('laptop', 'mute', 'node9', stop.signal))
      await world.settle()
      stop.abort()
      assert.is(await opening, 'Cancelled')
    }],
    ['nobody answers', async () => {
      open()
      await world.settle()
      const opening = codeOf(world.reach('laptop', 'mute'))
      await world.pass(limits.tunnelOpenMs)
      assert.is(await opening, 'DeadlineExceeded')
    }],
  ]
  for (const [what, end] of ends) {
    await end()
    await world.settle()
    const [more] = await asMany((at) => world.reach('laptop', `${what} ${at}`))
    assert.is(more.length, 1, what)
    listenAll(more)
  }
}))

test('when one of its tunnels is gone a stream gives its place back', withShared(async (world) => {
  const end = await world.host('node1')
  const [all] = await asMany((at) => world.open(end, 'node1', `p${at}`))
  listenAll(all)
  end.close('done')
  await world.pass(limits.tunnelAgainMs)
  const again = await world.host('node1')
  const [more] = await asMany((at) => world.open(again, 'node1', `again ${at}`))
  assert.equal([all.length, more.length], [limits.relayedPerOrigin, limits.relayedPerOrigin])
  listenAll(more)
  await world.host('ood2', 'node9')
  const [last] = await asMany((at) => world.open(again, 'node1', `last ${at}`))
  assert.is(last.length, limits.relayedPerOrigin, 'of the next tunnel all are free')
}))

test('what waits for answers that do not come leaves others theirs', withShared(async (world) => {
  const waits = (device: string, hosts: number): Promise<string>[] =>
    Array.from({ length: limits.relayWaiting * hosts }, (_, at) =>
      codeOf(world.reach(device, `mute ${at}`, `node9${at % hosts}`)))
  const held = waits('laptop', 3)
  await world.settle()
  const others = waits('phone', 1)
  assert.is((await world.reach('tablet', 'mine')).granted.host, 'node9')
  assert.is(await codeOf(world.reach('laptop', 'one more', 'node8')), 'Overloaded')
  await world.pass(limits.tunnelOpenMs)
  const waited = (await Promise.all(held)).filter((code) => code === 'DeadlineExceeded').length
  assert.is(waited, limits.tunnelOpening * limits.relayedWaitingRatio / (limits.relayedWaitingRatio + 1))
  assert.ok((await Promise.all(others)).filter((code) => code === 'DeadlineExceeded').length > 1)
  assert.is((await world.reach('laptop', 'later')).granted.host, 'node9')
}))

test('who asks and takes back at once does so as often as there are places to wait, and others wait', withShared(
  async (world) => {
    const back = async (name: string): Promise<string> => {
      const stop = new AbortController()
      const opening = codeOf(world.reach('laptop', name, 'node9', stop.signal))
      stop.abort()
      return opening
    }
    const codes: string[] = []
    for (let count = 0; count < limits.tunnelOpening; count++) codes.push(await back(`mute ${count}`))
    const most = limits.tunnelOpening * limits.relayedWaitingRatio / (limits.relayedWaitingRatio + 1)
    assert.equal([codes.indexOf('Overloaded'), codes.lastIndexOf('Cancelled')], [most, most - 1])
    assert.is((await world.reach('phone', 'mine')).granted.host, 'node9')
    await world.pass(limits.relayedBackMs)
    assert.is(await back('later'), 'Cancelled')
  },
))

test('in whose name ever another OOD asks, whoever has that name here has its own places', withShared(async (world) => {
  world.accept = () => new Promise(() => {})
  const ood3 = await world.host('ood3')
  const wants = { ...link('notes', 'node1'), host: 'ood1' } as StreamRequest
  const waits = Array.from({ length: limits.tunnelHostWaiting + 1 }, () => codeOf(ood3.open(wants)))
  await world.settle()
  assert.is(await Promise.race([...waits, 'they wait']), 'Overloaded')
  const end = await world.host('node1')
  world.accept = async () => {}
  assert.is((await world.open(end, 'node1', 'notes', { host: 'ood1' })).granted.host, 'ood1')
}))

test('whomever another OOD says that its streams are for, they are its own', withShared(async (world) => {
  await world.host('node7')
  const ood3 = await world.host('ood3')
  const [all, error] = await asMany((at) => world.open(ood3, 'x', `p${at}`, {
    host: 'node7', caller: { host: `x${at >> 5}`, actor: 'a', incarnation: 1 }, by: [`x${at >> 5}`],
  } as Partial<StreamRequest>))
  assert.is(error.code, 'Overloaded')
  assert.ok(all.length > limits.tunnelStreams * 0.4 && all.length <= limits.tunnelStreams / 2, `${all.length}`)
  const [ours] = await asMany((at) => world.reach('laptop', `ours ${at}`, 'node7'))
  assert.ok(ours.length > limits.tunnelStreams / 2 / (limits.relayedPart + 2))
}))

test.run()
