import { HandshakeFailed, type ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Channel, Frame } from '../platform/ports.ts'

/** The channel while the handshake reads it, message by message. */
export interface Inbox {
  send(message: string): void
  /** @throws HandshakeFailed */
  next(): Promise<string>
  fail(error: ZonewrightError): void
  /** What came after the last handshake message, and all that follows, goes to the link. */
  handOver(accept: (frame: Frame) => void, cut: (reason: string) => void): void
}

const failure = (reason: string): ZonewrightError => new HandshakeFailed(`The handshake failed: ${reason}`, { reason })

export function openInbox(channel: Channel): Inbox {
  const text = channel.kind === 'port'
  const frames: Frame[] = []
  let failed: ZonewrightError | undefined
  let closed: string | undefined
  let wake: (() => void) | undefined
  let accept: ((frame: Frame) => void) | undefined
  let cut: ((reason: string) => void) | undefined

  const fail = (error: ZonewrightError): void => {
    failed ??= error
    wake?.()
  }
  channel.receive((frame) => {
    if (accept) return accept(frame)
    frames.push(frame)
    if (frames.length > limits.unreadFrames) fail(failure('too many frames'))
    wake?.()
  }, (reason) => {
    if (cut) return cut(reason)
    closed = reason
    wake?.()
  })

  return {
    send: (message) => channel.send(text ? message : new TextEncoder().encode(message)),
    fail,
    async next() {
      while (frames.length === 0 && !failed && closed === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (failed) throw failed
      const frame = frames.shift()
      if (frame === undefined) throw failure(`channel closed, ${closed}`)
      return decode(frame, text)
    },
    handOver(acceptFrame, cutLink) {
      ;[accept, cut] = [acceptFrame, cutLink]
      for (const frame of frames.splice(0)) acceptFrame(frame)
      if (closed !== undefined) cutLink(closed)
    },
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(frame: Frame, text: boolean): string {
  if ((typeof frame === 'string') !== text) throw failure('malformed')
  if (frame.length > limits.handshake) throw failure('message too long')
  if (typeof frame === 'string') return frame
  try {
    return decoder.decode(frame)
  } catch {
    throw failure('malformed')
  }
}
