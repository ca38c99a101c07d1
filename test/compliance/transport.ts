import { suite, type Test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Channel, Frame } from '../../transport/channel.ts'

export interface ChannelsUnderTest {
  readonly near: Channel
  readonly far: Channel
  /** Settles when all that is under way has arrived. */
  settle(): Promise<void>
}

interface Seen {
  readonly frames: Frame[]
  readonly closes: string[]
}

function listen(channel: Channel): Seen {
  const seen: Seen = { frames: [], closes: [] }
  channel.receive((frame) => void seen.frames.push(frame), (reason) => void seen.closes.push(reason))
  return seen
}

/** What every channel does, whatever carries it. The caller runs the suite. */
export function transportCompliance(name: string, open: () => Promise<ChannelsUnderTest>): Test {
  const test = suite(`transport: ${name}`)

  test('frames arrive whole and in order, both ways', async () => {
    const { near, far, settle } = await open()
    const [atNear, atFar] = [listen(near), listen(far)]
    const sent = Array.from({ length: 100 }, (_, index) => `frame ${index} ${'é'.repeat(index)}`)
    for (const frame of sent) near.send(frame)
    for (const frame of sent) far.send(frame)
    await settle()
    assert.equal(atFar.frames, sent)
    assert.equal(atNear.frames, sent)
    near.close('done')
  })

  test('bytes arrive as bytes', async () => {
    const { near, far, settle } = await open()
    const atFar = listen(far)
    near.send(new Uint8Array([0, 1, 255]))
    await settle()
    assert.instance(atFar.frames[0], Uint8Array)
    assert.equal([...(atFar.frames[0] as Uint8Array)], [0, 1, 255])
    near.close('done')
  })

  test('send does not deliver before it returns', async () => {
    const { near, far, settle } = await open()
    const atFar = listen(far)
    near.send('one')
    assert.is(atFar.frames.length, 0)
    await settle()
    assert.is(atFar.frames.length, 1)
    near.close('done')
  })

  test('what arrived before receive waits for it', async () => {
    const { near, far, settle } = await open()
    near.send('early')
    await settle()
    const atFar = listen(far)
    await settle()
    assert.equal(atFar.frames, ['early'])
    near.close('done')
  })

  test('both ends see a close, once, after the last frame', async () => {
    const { near, far, settle } = await open()
    const [atNear, atFar] = [listen(near), listen(far)]
    near.send('last')
    near.close('enough')
    near.close('again')
    await settle()
    far.close('too')
    await settle()
    assert.equal(atFar.frames, ['last'])
    assert.is(atFar.closes.length, 1)
    assert.is(atNear.closes.length, 1)
  })

  test('after close nothing is sent and nothing throws', async () => {
    const { near, far, settle } = await open()
    const [atNear, atFar] = [listen(near), listen(far)]
    near.close('enough')
    near.send('late')
    await settle()
    far.send('late')
    await settle()
    assert.equal([...atNear.frames, ...atFar.frames], [])
  })

  return test
}
