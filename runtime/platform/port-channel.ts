import type { Channel, Frame } from './ports.ts'

/** What both runtimes' ports have in common. */
export interface Port {
  postMessage(message: unknown): void
  close(): void
  onmessage: ((event: { data: unknown }) => void) | null
  addEventListener(type: 'close', listener: () => void): void
}

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
        else finish('the peer sent something that is not a frame')
      }
      port.addEventListener('close', () => finish('the peer closed its end'))
    },
    close: finish,
  }
}
