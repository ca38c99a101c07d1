import { messageOf } from '../../runtime/errors.ts'
import type { Channel, Frame } from '../../runtime/platform/ports.ts'

/** A channel as somebody who sits on the wire has it. */
export interface Tap extends Channel {
  readonly sent: readonly Frame[]
  readonly received: readonly Frame[]
  /** What leaves in place of each frame that the link sends; at first the frame itself. */
  alter: (frame: Frame) => readonly Frame[]
  /** Sends what the link did not. */
  inject(frame: Frame): void
}

export function tapped(channel: Channel): Tap {
  const sent: Frame[] = []
  const received: Frame[] = []
  const tap: Tap = {
    kind: channel.kind, sent, received,
    alter: (frame) => [frame],
    inject: (frame) => channel.send(frame),
    send(frame) {
      sent.push(frame)
      try {
        for (const each of tap.alter(frame)) channel.send(each)
      } catch (error) {
        // A link does not expect its channel to throw; the call that waits fails, and with it the attempt
        channel.close(messageOf(error))
      }
    },
    receive: (onFrame, onClose) => channel.receive((frame) => {
      received.push(frame)
      onFrame(frame)
    }, onClose),
    close: (reason) => channel.close(reason),
  }
  return tap
}

/** Edits a frame as text: one character for each byte where the channel carries bytes. */
export function edited(frame: Frame, edit: (text: string) => string): Frame {
  if (typeof frame === 'string') return edit(frame)
  const text = edit(Array.from(frame, (byte) => String.fromCharCode(byte)).join(''))
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** @throws Error when the text is not there: then nothing would be changed, and nothing proved */
export function swapped(frame: Frame, from: string | RegExp, to: string): Frame {
  return edited(frame, (text) => {
    const changed = text.replace(from, to)
    if (changed === text) throw new Error(`The frame does not hold what was to be changed: ${String(from)}`)
    return changed
  })
}

/** Layout of a frame of suite `mac`: header, tag, 64 characters of signature where flag 1 is set, body. */
export const frameLayout = { flags: 2, length: 4, sequence: 8, header: 16, tag: 16, signature: 64 } as const
