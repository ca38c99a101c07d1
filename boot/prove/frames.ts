import { kv } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import type { Frame } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Attempt } from './judge.ts'
import { APPID, scratchKey, type Scene } from './scene.ts'
import { edited, frameLayout, swapped, type Tap } from './wire.ts'

interface Wire {
  readonly scene: Scene
  readonly tap: Tap
  readonly client: Client<typeof SystemConfig>
  readonly token: string
  /** An honest call on this link: it tells whether the link still stands. */
  honest(): Promise<unknown>
  /** A write that the token allows. */
  write(value: string): Promise<unknown>
}

/** A link of suite `mac` over which calls have gone well, and somebody who sits on its wire. */
async function onWire(scene: Scene): Promise<Wire> {
  const { sessionToken: token } = await scene.session(APPID, ['system-config'])
  const { client, tap } = await scene.connect(SystemConfig)
  const honest = (): Promise<unknown> => client.get({ key: kv.bootConfig }, { token })
  await honest()
  return { scene, tap, client, token, honest, write: (value) => client.set({ key: scratchKey, value }, { token }) }
}

/** Unlike calls, what is done to frames leaves no time to answer: the link closes with the reason. */
const onFrames = (
  name: string, reason: string, prepare: (wire: Wire) => (() => Promise<unknown>) | Promise<() => Promise<unknown>>,
): Attempt => ({
  name, group: 'frames', expected: { code: 'FrameRejected', reason }, untouched: () => [scratchKey],
  prepare: async (scene) => prepare(await onWire(scene)),
})

/** The next frame that the link sends; neither it nor any later one leaves. */
const intercepted = (tap: Tap): Promise<Frame> => new Promise((resolve) => {
  tap.alter = (frame) => {
    resolve(frame)
    return []
  }
})

type SendOn = (first: Frame, second: Frame) => readonly Frame[]

/** Two writes, each in a frame of its own; somebody sends on what he likes. @returns what became of the later one */
async function twoWrites({ tap, write }: Wire, sendOn: SendOn): Promise<unknown> {
  const firstFrame = intercepted(tap)
  write('first').catch(() => {})
  const first = await firstFrame
  const secondFrame = intercepted(tap)
  const answer = write('second')
  for (const frame of sendOn(first, await secondFrame)) tap.inject(frame)
  return answer
}

const uint32 = (value: number): string =>
  String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

const bodyAt = frameLayout.header + frameLayout.tag

/** Low half of the sequence number of a frame: no link of a proof gets further. */
function numberOf(frame: Frame): number {
  let sequence = 0
  edited(frame, (text) => {
    const low = text.slice(frameLayout.sequence + 4, frameLayout.header)
    for (const letter of low) sequence = sequence * 256 + letter.charCodeAt(0)
    return text
  })
  return sequence
}

/** The frame that would come next, as one who has no keys would write it. */
function forgedFrame(scene: Scene, last: Frame): Frame {
  const tag = Array.from(scene.platform.random.bytes(frameLayout.tag), (byte) => String.fromCharCode(byte)).join('')
  const body = '[[1,1000,0,9007199254740991,0,{"key":"boot/config"}]]'
  const header = `\x01\0\0\0${uint32(frameLayout.tag + body.length)}\0\0\0\0${uint32(numberOf(last) + 1)}`
  return edited(last, () => header + tag + body)
}

/** What the frame says without its signature, and without the flag that promises one. */
const withoutSignature = (frame: Frame): Frame => edited(frame, (text) => {
  const body = text.slice(bodyAt + frameLayout.signature)
  const tag = text.slice(frameLayout.header, bodyAt)
  const head = `${text.slice(0, frameLayout.flags)}\0\0${uint32(frameLayout.tag + body.length)}`
  return head + text.slice(frameLayout.sequence, frameLayout.header) + tag + body
})

const signedWrite = ({ client, token }: Wire, value: string): Promise<unknown> =>
  client.execTx({ actions: { [scratchKey]: { action: 'update', value } } }, { token })

const withOneBitChanged = (frame: Frame, at: number): Frame => edited(frame, (text) =>
  text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1))

/** The same on a link of suite `sealed`, which verify-hub asks for. */
const onSealed = (
  name: string, reason: string, attack: (wire: { tap: Tap; ask: () => Promise<unknown> }) => Promise<unknown>,
): Attempt => ({
  name, group: 'frames', expected: { code: 'FrameRejected', reason },
  async prepare(scene) {
    const { client, tap } = await scene.connect(VerifyHub)
    const ask = (): Promise<unknown> => client.verifySession({ sid: 'prove' })
    await ask()
    return () => attack({ tap, ask })
  },
})

export const frameAttacks: readonly Attempt[] = [
  onFrames('A call is changed on its way', 'forged', ({ tap, write }) => () => {
    tap.alter = (frame) => [swapped(frame, 'genuine', 'altered')]
    return write('genuine')
  }),
  onFrames('A frame is made without the keys of the link', 'forged', ({ scene, tap, honest }) => () => {
    tap.inject(forgedFrame(scene, tap.sent.at(-1)!))
    return honest()
  }),
  onFrames('A frame is sent again', 'replayed', async ({ tap, client, token, write, honest }) => {
    await write('once')
    await client.append({ key: scratchKey, value: ' and once more' }, { token })
    return () => {
      tap.inject(tap.sent.at(-1)!)
      return honest()
    }
  }),
  onFrames('Two frames change places', 'reordered', (wire) => () =>
    twoWrites(wire, (first, second) => [second, first])),
  onFrames('A frame is dropped', 'reordered', (wire) => () => twoWrites(wire, (_, second) => [second])),
  onFrames('A frame is cut short', 'cut', ({ tap, write }) => () => {
    tap.alter = (frame) => [edited(frame, (text) => text.slice(0, -1))]
    return write('cut short')
  }),
  onFrames('A frame of the callee is sent back to it', 'reflected', ({ tap, honest }) => () => {
    tap.inject(tap.received.at(-1)!)
    return honest()
  }),
  onFrames('A frame of another link with the same two ends', 'forged', async ({ scene, tap, honest }) => {
    const other = await onWire(scene)
    const frame = intercepted(other.tap)
    other.write('of another link').catch(() => {})
    const strayed = await frame
    return () => {
      tap.inject(strayed)
      return honest()
    }
  }),
  onFrames('The signature is taken off a signed frame', 'forged', (wire) => () => {
    wire.tap.alter = (frame) => [withoutSignature(frame)]
    return signedWrite(wire, 'unsigned')
  }),
  onFrames('The signature of a frame is another', 'signature', (wire) => () => {
    wire.tap.alter = (frame) => [withOneBitChanged(frame, bodyAt)]
    return signedWrite(wire, 'signed by nobody')
  }),
  onSealed('A bit of an encrypted frame is changed', 'forged', ({ tap, ask }) => {
    tap.alter = (frame) => [withOneBitChanged(frame, frameLayout.header)]
    return ask()
  }),
  onSealed('The number of an encrypted frame is changed', 'forged', ({ tap, ask }) => {
    tap.alter = (frame) => [withOneBitChanged(frame, frameLayout.header - 1)]
    return ask()
  }),
  onSealed('An encrypted frame is sent again', 'replayed', ({ tap, ask }) => {
    tap.inject(tap.sent.at(-1)!)
    return ask()
  }),
  onSealed('An encrypted frame is dropped', 'reordered', async ({ tap, ask }) => {
    const dropped = intercepted(tap)
    ask().catch(() => {})
    await dropped
    tap.alter = (frame) => [frame]
    return ask()
  }),
]
