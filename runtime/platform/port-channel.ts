import { closeReason } from './port-close.ts'
import type { Channel, Frame } from './ports.ts'

/** What both runtimes' ports have in common. */
export interface Port {
  postMessage(message: unknown): void
  close(): void
  onmessage: ((event: { data: unknown }) => void) | null
  addEventListener(type: 'close', listener: () => void): void
}

/** In place of a frame: its sender has closed, as one whose actor has ended or not. Deno (2.9) tells a port nothing. */
const [CLOSED, ENDED] = [0, 1]

/** The Channel over a MessagePort, the same on both runtimes. */
export function portChannel(port: Port): Channel {
  let closed = false
  let onFrame: ((frame: Frame) => void) | undefined
  let onClose: ((reason: string) => void) | undefined
  const finish = (reason: string): void => {
    if (closed) return
    closed = true
    port.close()
    onClose?.(reason)
  }
  return {
    kind: 'port',
    send(frame) {
      if (!closed) port.postMessage(frame)
    },
    receive(frameListener, closeListener) {
      onFrame = frameListener
      onClose = closeListener
      port.onmessage = ({ data }: { data: unknown }) => {
        if (closed) return
        if (typeof data === 'string' || data instanceof Uint8Array) onFrame?.(data)
        else if (data === CLOSED) finish(closeReason.closed)
        else if (data === ENDED) finish(closeReason.ended)
        else finish('the peer sent something that is not a frame')
      }
      port.addEventListener('close', () => finish(closeReason.alone))
    },
    close(reason) {
      if (!closed) port.postMessage(reason === closeReason.ended ? ENDED : CLOSED)
      finish(reason)
    },
  }
}
