import { limits } from '../runtime/limits.ts'
import type { Clock } from '../runtime/platform/ports.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import type { PacedChannel } from './channel.ts'
import { FrameReader, FrameWriter } from './frames.ts'

/**
 * The channel over a TLS connection. Frames that are sent in one turn leave in one write. A frame of bytes that is
 * received is a view: who keeps it, or passes it to another thread, makes a copy. Whoever is at the other end, one
 * frame (`limits.tlsFrameBytes`) and what it does not read (`limits.tlsUnsentBytesMax`) is all that is held for it.
 */
export function tlsChannel(
  connection: TlsConnection, { clock }: { readonly clock: Pick<Clock, 'soon'> },
): PacedChannel {
  const writer = new FrameWriter()
  const reader = new FrameReader(limits.tlsFrameBytes)
  let scheduled = false
  let closed = false
  let closing: string | undefined
  let waits = false
  let onDrained: (() => void) | undefined

  const flush = (): void => {
    scheduled = false
    if (closed || writer.bytes === 0) return
    connection.send(writer.take())
    if (connection.unsent > limits.tlsUnsentBytesMax) close('the peer does not read')
    else if (!isFull()) drained()
  }
  const isFull = (): boolean => writer.bytes + connection.unsent >= limits.tlsUnsentBytes
  const drained = (): void => {
    if (!waits || closed) return
    waits = false
    onDrained?.()
  }
  const close = (reason: string): void => {
    if (closed) return
    flush()
    if (closed) return
    closed = true
    closing = reason
    connection.close(reason)
  }
  return {
    kind: 'tls',
    get unsent() { return writer.bytes + connection.unsent },
    get full() {
      waits ||= isFull()
      return waits
    },
    send(frame) {
      if (closed) return
      if (!writer.add(frame, limits.tlsFrameBytes)) {
        return close(`a frame to be sent is longer than ${limits.tlsFrameBytes} bytes`)
      }
      if (writer.bytes >= limits.tlsFillBytes) return flush()
      if (scheduled) return
      scheduled = true
      clock.soon(flush)
    },
    receive(onFrame, onClose) {
      const take = (bytes: Uint8Array): void => {
        if (closed) return
        const fault = reader.read(bytes, (frame) => {
          onFrame(frame)
          return !closed
        })
        if (fault !== undefined) close(fault)
      }
      connection.receive(take, (reason) => {
        const cut = !closed && reader.midway
        closed = true
        onClose(closing ?? (cut ? 'the peer closed the connection in the midst of a frame' : reason))
      }, drained)
    },
    close,
    onDrained(listener) { onDrained = listener },
  }
}
