import { InvalidArgument, Unavailable } from '../../runtime/errors.ts'
import { deferred, type Deferred } from '../../runtime/within.ts'
import type { StreamChannel } from '../../transport/tunnel/protocol.ts'

/** Bytes to and from a service. Each direction ends by itself; what is not read is not asked for. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /**
   * Settles when it may write on: at once, while the service keeps up.
   * @throws Unavailable once the stream is closed, InvalidArgument after `end`
   */
  write(bytes: Uint8Array): Promise<void>
  /** No more is written: the service sees the end, and may still answer. */
  end(): void
  /** Ends both directions: the service sees a connection that is cut, unless both had ended. */
  close(reason?: string): void
  /** Settles with the reason, once all that came before is read. */
  readonly closed: Promise<string>
}

/** As `transport/tcp.ts` has it: the frame of text says that no more bytes come. */
const END = ''

/** @throws while it is read: Unavailable, where it was closed before its end */
export function byteStream(channel: StreamChannel): ByteStream {
  const unread: Uint8Array[] = []
  const over = deferred<string>()
  let reason: string | undefined
  let ended = { here: false, there: false }
  let reader: Deferred<void> | undefined
  let writers = deferred<void>()
  let taken = false
  const wake = (): void => reader?.resolve()

  channel.onDrained(() => {
    writers.resolve()
    writers = deferred()
  })
  channel.receive((frame) => {
    if (typeof frame === 'string') ended = { ...ended, there: true }
    else {
      unread.push(frame)
      channel.hold(true)
    }
    wake()
  }, (why) => {
    reason = why
    over.resolve(why)
    writers.resolve()
    wake()
  })

  async function* read(): AsyncGenerator<Uint8Array> {
    if (taken) throw new InvalidArgument('A stream is read once')
    taken = true
    try {
      for (;;) {
        const next = unread.shift()
        if (next) yield next
        else if (ended.there) return
        else if (reason !== undefined) throw new Unavailable(`The stream is closed: ${reason}`)
        else {
          reader = deferred()
          channel.hold(false)
          if (unread.length === 0 && !ended.there && reason === undefined) await reader.promise
        }
      }
    } finally {
      // Whoever reads no further wants no more of it
      if (!ended.there) channel.close('it is read no further')
    }
  }

  return {
    [Symbol.asyncIterator]: read,
    async write(bytes) {
      if (ended.here) throw new InvalidArgument('The stream was ended')
      if (reason !== undefined) throw new Unavailable(`The stream is closed: ${reason}`)
      if (bytes.length > 0) channel.send(bytes)
      if (channel.full) await writers.promise
    },
    end() {
      if (ended.here || reason !== undefined) return
      ended = { ...ended, here: true }
      channel.send(END)
    },
    close: (why = 'it was closed') => channel.close(why),
    closed: over.promise,
  }
}
