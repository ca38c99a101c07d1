/** Streams of many hosts by one tunnel: what some of them do not read stops nobody else's. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import type { OpenedStream, StreamRequest, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { listen, withShared, type Heard, type Shared } from './tunnels-shares-fixture.ts'

const KIB = 1_024
const FRAME = new Uint8Array(64 * KIB)
/** More than what waits on the whole way to a reader who does not read. */
const FRAMES = 14
const LARGE = 8 * KIB * KIB

/** So many streams of that origin, of which each brings more than anybody reads. @returns their other ends */
async function unread(world: Shared, each: number, open: (name: string) => Promise<OpenedStream>): Promise<Heard[]> {
  const heard: Heard[] = []
  for (let count = 0; count < each; count++) {
    const name = `unread ${world.far.size}`
    const { channel } = await open(name)
    listen(channel)
    channel.hold(true)
    const there = world.far.get(name)!
    heard.push(listen(there))
    for (let sent = 0; sent < FRAMES; sent++) there.send(FRAME)
  }
  await world.settle()
  return heard
}
/** Waits a moment in which everything that can wait does, then reads all. */
async function downloads(world: Shared, { channel }: OpenedStream, name: string): Promise<Heard> {
  const heard = listen(channel)
  listen(world.far.get(name)!)
  channel.hold(true)
  for (let sent = 0; sent < FRAMES; sent++) world.far.get(name)!.send(FRAME)
  await world.settle()
  channel.hold(false)
  await world.settle()
  return heard
}
/** One frame, which is whole before it goes on: more than any of the streams that nobody reads holds. */
async function large(world: Shared, { channel }: OpenedStream, name: string): Promise<Heard> {
  const heard = listen(channel)
  listen(world.far.get(name)!)
  world.far.get(name)!.send(new Uint8Array(LARGE))
  await world.settle()
  return heard
}
const WHOLE = { bytes: FRAMES * FRAME.length, closed: undefined }
const cut = (all: readonly Heard[]): readonly string[] =>
  all.flatMap(({ closed }) => (closed === undefined ? [] : [closed]))

test('downloads that two hosts do not read stop nobody else’s', withShared(async (world) => {
  const [first, second] = [await world.host('node1'), await world.host('node2')]
  const held = [
    ...await unread(world, 150, (name) => world.open(first, 'node1', name)),
    ...await unread(world, 150, (name) => world.open(second, 'node2', name)),
  ]
  const third = await world.host('node3')
  for (const name of ['mine', 'my next']) {
    assert.equal(await downloads(world, await world.open(third, 'node3', name), name), WHOLE)
  }
  assert.is((await large(world, await world.open(third, 'node3', 'large'), 'large')).bytes, LARGE)
  const reasons = cut(held)
  assert.ok(reasons.length > 20, `${reasons.length}`)
  assert.equal([...new Set(reasons)], ['nobody reads the stream: tunnelUnreadBytes of the tunnel'])
}))

test('what another OOD does not read stops nothing of this one', withShared(async (world) => {
  const [, ood3, ood4] = [await world.host('node7'), await world.host('ood3'), await world.host('ood4')]
  let at = 0
  // Each for another, as they say
  const open = (end: TunnelEnd) => (name: string) => world.open(end, 'x', name, {
    host: 'node7', caller: { host: `x${++at}`, actor: 'a', incarnation: 1 }, by: [`x${at}`],
  } as Partial<StreamRequest>)
  const held = [...await unread(world, 150, open(ood3)), ...await unread(world, 150, open(ood4))]
  const ours: OpenedStream[] = []
  for (const name of ['mine', 'my next']) ours.push(await world.reach('laptop', name, 'node7'))
  const both = await Promise.all(['mine', 'my next'].map((name, index) => downloads(world, ours[index]!, name)))
  assert.equal(both, [WHOLE, WHOLE])
  assert.ok(cut(held).length > 20)
}))

test('behind an OOD what one does not read stops nothing of another', withShared(async (world) => {
  const [, ood3, ood4] = [await world.host('node7'), await world.host('ood3'), await world.host('ood4')]
  const open = (end: TunnelEnd, device: string) => (name: string) => world.open(end, device, name, {
    host: 'node7', by: [device],
  } as Partial<StreamRequest>)
  await unread(world, 120, open(ood4, 'tablet'))
  const held = await unread(world, 160, open(ood3, 'laptop'))
  assert.is((await large(world, await open(ood3, 'phone')('large'), 'large')).bytes, LARGE)
  assert.ok(cut(held).length > 20)
}))

test('uploads that nobody reads stop nobody else’s', withShared(async (world) => {
  const end = await world.host('node1')
  const held: Heard[] = []
  for (let count = 0; count < 6; count++) {
    const { channel } = await world.open(end, 'node1', `deaf ${count}`)
    listen(world.far.get(`deaf ${count}`)!)
    held.push(listen(channel))
    channel.send('first')
    await world.settle()
    channel.send(new Uint8Array(limits.frame))
    await world.settle()
  }
  const { channel } = await world.open(await world.host('node2'), 'node2', 'mine')
  const own = listen(channel)
  const there = listen(world.far.get('mine')!)
  channel.send(new Uint8Array(4_000 * KIB))
  await world.settle()
  assert.equal([there, own.closed], [{ bytes: 4_000 * KIB, closed: undefined }, undefined])
  assert.equal([...new Set(cut(held))], ['the other end does not read: tunnelBacklogsBytes of the tunnel'])
}))

test.run()
