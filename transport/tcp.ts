import { limits } from '../runtime/limits.ts'
import type { Frame } from '../runtime/platform/ports.ts'
import type { TcpConnection } from '../runtime/platform/tcp-ports.ts'
import type { PacedChannel } from './channel.ts'

/** In place of more bytes: the sender sends no more, and still reads. The only frame of text on such a channel. */
const END: Frame = ''

/**
 * A channel whose frames are the bytes of a TCP connection, cut wherever they were. Each direction ends by itself, and
 * when both have, the channel is closed. A connection that is cut closes it at once; a channel that is closed before
 * both directions have ended cuts the connection, so that nobody takes half an answer for a whole one.
 */
export function tcpChannel(connection: TcpConnection): PacedChannel & { hold(held: boolean): void } {
  let closed = false
  let ended = { here: false, there: false }
  let closing: string | undefined
  let onDrained: (() => void) | undefined
  let waits = false
  const isFull = (): boolean => connection.unsent >= limits.tcpUnsentBytes

  return {
    kind: 'tcp',
    get unsent() { return connection.unsent },
    get full() {
      waits ||= isFull()
      return waits
    },
    send(frame) {
      if (closed || ended.there) return
      if (typeof frame !== 'string') return connection.send(frame)
      ended = { ...ended, there: true }
      connection.end()
    },
    receive(onFrame, onClose) {
      connection.receive({
        onBytes: (bytes) => { if (!closed) onFrame(bytes) },
        onEnd() {
          if (closed || ended.here) return
          ended = { ...ended, here: true }
          onFrame(END)
        },
        onClose(reason) {
          closed = true
          onClose(closing ?? reason ?? ENDED)
        },
        onDrained() {
          if (!waits || closed) return
          waits = false
          onDrained?.()
        },
      })
    },
    close(reason) {
      if (closed) return
      closed = true
      closing = reason
      // All was said: what is on its way out still arrives
      if (ended.here && ended.there) connection.end()
      else connection.close(reason)
    },
    hold: (held) => connection.hold(held),
    onDrained(listener) { onDrained = listener },
  }
}

const ENDED = 'both ends have sent all that they wanted'
