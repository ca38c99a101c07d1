import type { Channel, Frame } from './ports.ts'

/** What both runtimes' ports have in common. */
export interface Port {
  postMessage(message: unknown): void
  close(): void
  onmessage: ((event: { data: unknown }) => void) | null
  addEventListener(type: 'close', listener: () => void): void
}

/** In place of a frame. Deno (2.9) tells a port nothing of the end of its other one. */
const CLOSED = null

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
        else if (data === CLOSED) finish('the peer closed its end')
        else finish('the peer sent something that is not a frame')
      }
      port.addEventListener('close', () => finish('the peer closed its end'))
    },
    close(reason) {
      if (!closed) port.postMessage(CLOSED)
      finish(reason)
    },
  }
}
