import type { Channel } from '../../../runtime/platform/ports.ts'
import type { TlsConnection } from '../../../runtime/platform/tls-ports.ts'

/** In place of a length: the reason of a close follows. */
const CLOSE = 0xffff_ffff

/** Frames of bytes over a connection, each after its length in four bytes. */
export function framed(connection: TlsConnection): Channel {
  let waiting = new Uint8Array(0)
  let why: string | undefined
  const next = (): Uint8Array | undefined => {
    if (waiting.length < 4) return undefined
    const length = new DataView(waiting.buffer, waiting.byteOffset).getUint32(0)
    if (length === CLOSE) {
      why = new TextDecoder().decode(waiting.subarray(4))
      return undefined
    }
    const end = 4 + length
    if (waiting.length < end) return undefined
    const frame = waiting.subarray(4, end)
    waiting = waiting.subarray(end)
    return frame
  }
  return {
    kind: 'tls',
    send(frame) {
      const bytes = typeof frame === 'string' ? new TextEncoder().encode(frame) : frame
      const sent = new Uint8Array(4 + bytes.length)
      new DataView(sent.buffer).setUint32(0, bytes.length)
      sent.set(bytes, 4)
      connection.send(sent)
    },
    receive(onFrame, onClose) {
      connection.receive((bytes) => {
        const joined = new Uint8Array(waiting.length + bytes.length)
        joined.set(waiting)
        joined.set(bytes, waiting.length)
        waiting = joined
        for (let frame = next(); frame; frame = next()) onFrame(frame)
      }, (reason) => onClose(why ?? reason))
    },
    close(reason) {
      const text = new TextEncoder().encode(reason)
      const last = new Uint8Array(4 + text.length)
      new DataView(last.buffer).setUint32(0, CLOSE)
      last.set(text, 4)
      connection.send(last)
      connection.close(reason)
    },
  }
}

/** The first frame by itself, as JSON; all others go on to who receives. */
export function firstThenRest(channel: Channel): { first: Promise<unknown>; rest: Channel } {
  let settle!: { resolve(value: unknown): void; reject(error: Error): void }
  const first = new Promise<unknown>((resolve, reject) => { settle = { resolve, reject } })
  let listener: { onFrame(frame: Uint8Array): void; onClose(reason: string): void } | undefined
  const early: Uint8Array[] = []
  let closed: string | undefined
  let isFirst = true
  channel.receive((frame) => {
    const bytes = frame as Uint8Array
    if (isFirst) {
      isFirst = false
      return settle.resolve(JSON.parse(new TextDecoder().decode(bytes)))
    }
    if (listener) listener.onFrame(bytes)
    else early.push(bytes)
  }, (reason) => {
    closed = reason
    settle.reject(new Error(reason))
    listener?.onClose(reason)
  })
  first.catch(() => {})
  const rest: Channel = {
    ...channel,
    receive(onFrame, onClose) {
      listener = { onFrame, onClose }
      for (const frame of early) onFrame(frame)
      if (closed !== undefined) onClose(closed)
    },
  }
  return { first, rest }
}
