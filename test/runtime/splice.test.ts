/** A port and a channel that leaves the process, joined. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/platform/clock.ts'
import type { Channel, Frame } from '../../runtime/platform/ports.ts'
import { splice } from '../../runtime/splice.ts'
import { memoryChannelPair } from '../../transport/memory.ts'

interface End { readonly channel: Channel; readonly frames: Frame[]; readonly closes: string[] }

const listen = (channel: Channel): End => {
  const end: End = { channel, frames: [], closes: [] }
  channel.receive((frame) => void end.frames.push(frame), (reason) => void end.closes.push(reason))
  return end
}
const joined = (): { actor: End; host: End; over: Promise<string> } => {
  const [actorEnd, port] = memoryChannelPair(systemClock)
  const [stream, hostEnd] = memoryChannelPair(systemClock)
  return { over: splice(port, stream), actor: listen(actorEnd), host: listen(hostEnd) }
}
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

test('frames go both ways in order, and the close of either is the close of both, after them', async () => {
  for (const closer of ['actor', 'host'] as const) {
    const { over, ...ends } = joined()
    const other = closer === 'actor' ? ends.host : ends.actor
    for (let n = 0; n < 100; n++) {
      ends.actor.channel.send(Uint8Array.of(n))
      ends.host.channel.send(Uint8Array.of(n, n))
    }
    ends[closer].channel.close('enough')
    await over
    await settle()
    assert.equal(other.frames.map((frame) => frame[0]), [...Array(100).keys()])
    assert.equal([ends.actor.closes.length, ends.host.closes.length], [1, 1])
  }
})

test('a frame of text crosses in neither direction: it closes both ends', async () => {
  for (const sender of ['actor', 'host'] as const) {
    const { over, ...ends } = joined()
    ends[sender].channel.send('text')
    ends[sender].channel.send(Uint8Array.of(1))
    await settle()
    assert.match(await Promise.race([over, 'still open']), /text/)
    assert.equal([ends.actor.frames, ends.host.frames], [[], []])
    assert.equal([ends.actor.closes.length, ends.host.closes.length], [1, 1])
  }
})

test('of a frame that lies among others in one buffer, an actor gets that frame and nothing beside it', async () => {
  const { actor, host } = joined()
  const received = new Uint8Array(100).fill(7)
  host.channel.send(received.subarray(10, 20))
  const whole = Uint8Array.of(1, 2)
  host.channel.send(whole)
  await settle()
  assert.equal(actor.frames, [new Uint8Array(10).fill(7), whole])
  assert.is((actor.frames[0] as Uint8Array).buffer.byteLength, 10)
  // What is alone in its buffer is not copied
  assert.is(actor.frames[1], whole)
})

test.run()
