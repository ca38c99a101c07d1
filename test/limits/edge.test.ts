/** The port at which hosts come into a zone: strangers hold no places of others, and nobody holds one for nothing. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { pause } from '../../runtime/within.ts'
import { ask, comesTo, openEdge, TUNNEL, type Edge } from '../edge-fixture.ts'

/** Where that takes so long that connections end by their time, it says nothing of places: then it is tried again. */
const withEdge = async (run: (edge: Edge) => Promise<void>, attempts = 3): Promise<void> => {
  const edge = await openEdge()
  const began = systemClock.monotonic()
  let failed: unknown
  try {
    await run(edge)
  } catch (error) {
    failed = error
  } finally {
    await edge.close()
  }
  if (failed === undefined) return
  if (attempts === 1 || systemClock.monotonic() - began < limits.edgeFirstMs) throw failed as Error
  await withEdge(run, attempts - 1)
}
/** Many at once would be more than a system lets wait to be accepted. */
async function many<S>(count: number, open: () => Promise<S>): Promise<readonly S[]> {
  const all: S[] = []
  while (all.length < count) {
    all.push(...await Promise.all(Array.from({ length: Math.min(64, count - all.length) }, open)))
  }
  return all
}
const gone = (sockets: readonly Socket[]): number => sockets.filter(({ destroyed }) => destroyed).length

test('an address holds so many connections, and one more takes the place of who has waited longest', async () => {
  await withEdge(async (edge) => {
    const held = await many(limits.edgePerAddress, () => edge.raw())
    const other = await edge.raw('127.0.0.9')
    assert.is(gone(held), 0)
    const late = await edge.tls()
    assert.ok(await comesTo(() => held[0]!.destroyed, 1_500), 'the first made way')
    assert.is(gone(held), 1)
    assert.is(await ask(late), '200')
    assert.not(other.destroyed, 'another address has places of its own')
  })
})

test('strangers hold so many connections, and one more takes a place of the address that holds most', async () => {
  await withEdge(async (edge) => {
    const few = limits.edgeStrangers - limits.edgePerAddress - 10
    const first = await many(10, () => edge.raw('127.0.0.9'))
    const rest = await many(few, () => edge.raw('127.0.0.8'))
    const most = await many(limits.edgePerAddress, () => edge.raw())
    assert.is(gone([...first, ...rest, ...most]), 0)
    const late = await edge.tls({ from: '127.0.0.7' })
    assert.is(await ask(late), '200')
    assert.ok(await comesTo(() => most[0]!.destroyed))
    assert.equal([gone(first), gone(rest), gone(most)], [0, 0, 1])
  })
})

test('what is being answered does not make way, and a request that is not whole does', async () => {
  await withEdge(async (edge) => {
    const slow = await edge.tls()
    const answered = ask(slow, '/slow')
    const half = await edge.tls()
    half.write('POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\nhalf')
    const idle = await many(limits.edgePerAddress - 2, () => edge.raw())
    for (let count = 0; count < 3; count++) assert.is(await ask(await edge.tls()), '200')
    assert.ok(await comesTo(() => gone(idle) === 3), 'who waits for nothing goes first')
    for (const socket of idle) socket.destroy()
    edge.answer()
    assert.is(await answered, '200')
  })
  await withEdge(async (edge) => {
    const slow = await edge.tls()
    const answered = ask(slow, '/slow')
    const begun = await many(limits.edgePerAddress - 1, async () => {
      const socket = await edge.tls()
      socket.write('POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\nhalf')
      return socket
    })
    // The last of them are to be read
    await pause(systemClock, 300)
    assert.is(await ask(await edge.tls()), '200')
    assert.ok(await comesTo(() => gone(begun) === 1))
    edge.answer()
    assert.is(await answered, '200')
  })
})

test('who has shown a certificate makes way for no stranger, and neither does what was handed over', async () => {
  await withEdge(async (edge) => {
    const mine = await edge.tls({ certified: true })
    const tunnel = await edge.tls({ certified: true, alpn: TUNNEL })
    assert.ok(await comesTo(() => edge.streams.length === 1))
    const held = await many(limits.edgePerAddress + 20, () => edge.raw())
    assert.ok(await comesTo(() => gone(held) === 20), `${gone(held)} of the strangers made way`)
    assert.is(await ask(mine), '200')
    assert.not(tunnel.destroyed)
  })
})

test('a host holds so many connections beside its tunnels, and all hosts so many', async () => {
  assert.ok(limits.edgeNamed >= limits.edgePerName, 'as many as a host may have there are')
  await withEdge(async (edge) => {
    const tunnels = await many(limits.edgePerName + 2, () => edge.tls({ certified: true, alpn: TUNNEL }))
    const held = [...await many(limits.edgePerName, () => edge.tls({ certified: true }))] as TLSSocket[]
    assert.is(await ask(held[0]!), '200')
    assert.is(await ask(await edge.tls({ certified: true })), '200')
    assert.ok(await comesTo(() => gone(held) === 1))
    assert.equal([gone(held), gone(tunnels)], [1, 0])
  })
})

test.run()
