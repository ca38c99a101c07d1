/** Certificates of both ends of a tunnel follow one another while links go on: by the real uplink and listener. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Connection } from '../../actors/uplink/connection.ts'
import type { Channel } from '../../transport/channel.ts'
import { memoryChannelPair } from '../../transport/memory.ts'
import { eventually } from '../boot-fixtures/joined-hosts.ts'
import { platform } from '../boot-fixtures/joining.ts'
import { admitted, begin, end, joined, listener, uplink, warnings } from '../boot-fixtures/uplinks.ts'

const { clock } = platform

/** A frame there and back. */
async function echoes(channel: Channel, text: string): Promise<void> {
  heard = undefined
  channel.send(new TextEncoder().encode(text))
  await eventually(`the echo of ${text}`, () => heard === text, 3_000)
}
let heard: string | undefined
async function openLink({ carrier }: Connection): Promise<Channel> {
  const [mine, theirs] = memoryChannelPair(clock)
  mine.receive((frame) => { heard = new TextDecoder().decode(frame as Uint8Array) }, () => { heard = 'closed' })
  await carrier.open({ protocol: 'echo', caller: { host: 'node1', actor: 'a', incarnation: 1 } }, theirs)
  return mine
}

test.before(begin)
test.after(end)

test('a host renews its certificate over its live tunnel, and its links go on', async () => {
  const { tunnels, server } = await listener()
  const connection = await uplink(server.port, 1_000)
  const link = await openLink(connection)
  await echoes(link, 'before')
  const { serial } = connection.state().certificate!
  await eventually('it has the next certificate', () => connection.state().certificate!.serial !== serial)
  assert.is(admitted.at(-1), connection.state().certificate!.serial, 'the other end has checked it')
  await echoes(link, 'after')
  assert.equal([connection.state().tunnels, tunnels.hosts()], [1, ['node1']])
  assert.equal(warnings, [])
  connection.close()
  await server.close(100)
})

test('the control plane renews its own, and links go on as well', async () => {
  const { tunnels, server, next } = await listener()
  const connection = await uplink(server.port)
  const link = await openLink(connection)
  await echoes(link, 'before')
  tunnels.renew(await next())
  await echoes(link, 'after')
  const again = await openLink(connection)
  await echoes(again, 'another')
  assert.is(connection.state().tunnels, 1)
  assert.equal(warnings.filter((one) => /does not take/.test(one)), [])
  // What is not of the control plane is not taken; the host is back by the one that it was shown
  const strange = { ...await next(), certificate: joined.tls.certificate, key: joined.tls.key }
  tunnels.renew(strange)
  await eventually('it is refused', () => warnings.some((one) => /does not take our next certificate/.test(one)))
  await eventually('it is connected', () => connection.state().state === 'connected')
  await echoes(await openLink(connection), 'still')
  connection.close()
  await server.close(100)
})

test.run()
