/** Sealed frames on a channel that carries text: short ones are spelt in latin-1, long ones go as bytes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Frame } from '../../runtime/platform/ports.ts'
import { channelEnds, linkPair, listen, quiet, type Wire } from './link-fixture.ts'

/** Sends one message of so many letters, past what `change` makes of its frame. */
async function sendOne(letters: number, change: (frame: Frame) => Frame) {
  const forms: string[] = []
  const toResponder: Wire = (frame, deliver, count) => {
    // The first two are of the handshake
    if (count < 2) return deliver(frame)
    forms.push(typeof frame === 'string' ? 'text' : 'bytes')
    deliver(change(frame))
  }
  const pair = await linkPair({ ends: channelEnds({ kind: 'port', toResponder }), minimum: 'sealed' })
  const { messages } = listen(pair.responder)
  pair.initiator.send([1, 'x'.repeat(letters)])
  await quiet()
  return { forms, arrived: messages.length, rejected: pair.rejected }
}

const asItIs = (frame: Frame): Frame => frame
const respelt = (frame: Frame): Frame => typeof frame === 'string'
  ? Uint8Array.from(frame, (letter) => letter.charCodeAt(0)) : String.fromCharCode(...frame)

for (const [letters, form] of [[900, 'text'], [1_100, 'bytes'], [100_000, 'bytes']] as const) {
  test(`a sealed frame of ${letters} letters crosses a port as ${form}, and is refused in any other form`, async () => {
    assert.equal(await sendOne(letters, asItIs), { forms: [form], arrived: 1, rejected: [] })
    assert.equal(await sendOne(letters, respelt), { forms: [form], arrived: 0, rejected: ['malformed'] })
  })
}

test('one bit changed in a frame of bytes is a forgery', async () => {
  const flip = (frame: Frame): Frame => (frame as Uint8Array).map((byte, at) => (at === 2_000 ? byte ^ 1 : byte))
  assert.equal(await sendOne(5_000, flip), { forms: ['bytes'], arrived: 0, rejected: ['forged'] })
})

test.run()
