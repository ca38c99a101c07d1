/** TLS between simulated hosts over wires that lose, hold and are cut, and of processes that end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { client, expect, faultOf, listen, PORT, same, staged, trusting } from './sim-tls-fixture.ts'

const test = suite('simulated TLS on bad wires')

test('a wire that loses, delays and changes only makes bytes come later, in order and whole', () =>
  staged(async ({ world, open, accepted, pause: wait }) => {
    const near = await open()
    await wait(50)
    const [atNear, atFar] = [listen(near), listen(accepted[0]!)]
    const bad = { lostPpm: 200_000, latePpm: 100_000, changedPpm: 100_000, twicePpm: 100_000 }
    world.setWire('node1', 'ood1', bad)
    world.setWire('ood1', 'node1', bad)
    const sent = Array.from({ length: 200 }, (_, index) => index % 256)
    for (const byte of sent) {
      near.send(Uint8Array.of(byte))
      accepted[0]!.send(Uint8Array.of(byte))
    }
    await wait(60_000)
    same([atFar.bytes, atNear.bytes], [sent, sent])
    same(near.unsent, 0)
  }).then(() => {}))

for (const cut of ['hold', 'drop'] as const) {
  test(`while wires are cut (${cut}) nothing arrives and it is counted; once they are healed all of it does`, () =>
    staged(async ({ world, open, accepted, pause: wait }) => {
      const near = await open()
      await wait(50)
      const atFar = listen(accepted[0]!)
      world.setWire('node1', 'ood1', { cut, lostPpm: 300_000 })
      for (let byte = 0; byte < 10; byte++) near.send(Uint8Array.of(byte))
      near.close('done')
      await wait(10_000)
      same([atFar.bytes, atFar.closed, near.unsent], [[], [], 10])
      same(await faultOf(open({}, 1_000)), 'DeadlineExceeded')
      world.setWire('node1', 'ood1', { cut: 'open' })
      await wait(5_000)
      same([atFar.bytes, atFar.closed.length], [[...Array(10).keys()], 1])
    }).then(() => {}))
}

test('a sender that reaches nobody for a minute gives up; who sends to one that has ended is told', () =>
  staged(async ({ world, ood, open, accepted, pause: wait }) => {
    const [near, other] = [await open(), await open()]
    await wait(50)
    const atNear = listen(near)
    world.setWire('node1', 'ood1', { cut: 'drop' })
    near.send(Uint8Array.of(1))
    await wait(65_000)
    same(atNear.closed, ['the other end is not reached'])
    same(listen(accepted[0]!).closed, [])
    world.setWire('ood1', 'node1', { cut: 'drop' })
    ood.kill()
    await wait(10)
    world.healWires()
    const atOther = listen(other)
    await wait(1_000)
    same(atOther.closed, [])
    other.send(Uint8Array.of(1))
    await wait(1_000)
    same(atOther.closed, ['the peer is gone'])
  }).then(() => {}))

test('when a process ends its connections end, and a port that closes cuts those that are left', () =>
  staged(async ({ node, ood, world, served, open, accepted, pause: wait }) => {
    await open()
    await wait(50)
    const atFar = listen(accepted[0]!)
    node.kill()
    await wait(50)
    same(atFar.closed, ['the peer closed the connection'])
    const { transport } = world.startProcess('node1').platform
    const again = await transport.connectTls({ hostname: 'ood1', port: PORT, withinMs: 1_000 }, trusting)
    const atAgain = listen(again)
    await served.close(100)
    await wait(50)
    same(atAgain.closed, ['the peer closed the connection'])
    const refused = transport.connectTls({ hostname: 'ood1', port: PORT, withinMs: 1_000 }, trusting)
    same(await faultOf(refused), 'Unavailable')
    expect(ood.alive, 'it has ended')
  }).then(() => {}))

test('the same seed gives the same trace, another seed another', async () => {
  const run = async (seed: number): Promise<string> => {
    const { hash } = await staged(async ({ open, accepted, world, pause: wait }) => {
      world.setWire('node1', 'ood1', { lostPpm: 300_000 })
      const near = await open({ client })
      await wait(500)
      listen(accepted[0]!)
      for (let byte = 0; byte < 50; byte++) near.send(Uint8Array.of(byte))
      near.close('done')
      await wait(5_000)
    }, {}, { seed })
    return hash
  }
  assert.is(await run(7), await run(7))
  assert.is.not(await run(7), await run(8))
})

test.run()
