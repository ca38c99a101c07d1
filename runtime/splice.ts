import type { Channel, Frame } from './platform/ports.ts'

/**
 * Joins a port of this process with a channel that leaves it: frames both ways, and the close of either is the close of
 * both. Settles with the reason of that. A frame of text closes both: only a port inside one process carries text.
 */
export function splice(port: Channel, stream: Channel): Promise<string> {
  return new Promise((resolve) => {
    const over = (reason: string): void => {
      port.close(reason)
      stream.close(reason)
      resolve(reason)
    }
    const passOn = (to: (frame: Uint8Array) => void) => (frame: Frame): void => {
      if (typeof frame === 'string') over('a frame of text on its way to another process')
      else to(frame)
    }
    port.receive(passOn((frame) => stream.send(frame)), over)
    stream.receive(passOn((frame) => port.send(alone(frame))), over)
  })
}

/** A port copies the whole buffer that a frame lies in: what came with others would go to the actor with it. */
const alone = (frame: Uint8Array): Uint8Array =>
  (frame.byteLength === frame.buffer.byteLength ? frame : new Uint8Array(frame))
