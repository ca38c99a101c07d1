import { limits } from '../runtime/limits.ts'
import type { Channel, Clock, Frame } from '../runtime/platform/ports.ts'

interface End {
  readonly channel: Channel
  deliver(frame: Frame): void
  finish(reason: string): void
}

/** Two ends in one thread. Frames arrive when what runs now has run, never within `send`. */
export function memoryChannelPair(clock: Pick<Clock, 'soon'>): readonly [Channel, Channel] {
  const left: End = createEnd(clock, () => right)
  const right: End = createEnd(clock, () => left)
  return [left.channel, right.channel]
}

function createEnd(clock: Pick<Clock, 'soon'>, peer: () => End): End {
  /** What arrived and was not taken; the close as text. */
  const waiting: ({ frame: Frame } | { closed: string })[] = []
  let listeners: { onFrame: (frame: Frame) => void; onClose: (reason: string) => void } | undefined
  let sending = true
  let over = false

  const drain = (): void => {
    while (listeners && !over) {
      const next = waiting.shift()
      if (!next) return
      if ('frame' in next) listeners.onFrame(next.frame)
      else end(next.closed)
    }
  }
  const end = (reason: string): void => {
    over = true
    sending = false
    waiting.length = 0
    listeners?.onClose(reason)
  }
  const take = (item: { frame: Frame } | { closed: string }): void => {
    clock.soon(() => {
      if (over) return
      waiting.push(item)
      // Nobody reads: a channel that grows without end is cut like a frame that is too large
      if (waiting.length > limits.channelBacklog) return close('nobody reads the channel')
      drain()
    })
  }
  const close = (reason: string): void => {
    if (!sending) return
    sending = false
    peer().finish(reason)
    clock.soon(() => {
      if (!over) end(reason)
    })
  }
  return {
    channel: {
      kind: 'memory',
      send(frame) {
        if (sending) peer().deliver(frame)
      },
      receive(onFrame, onClose) {
        listeners = { onFrame, onClose }
        drain()
      },
      close,
    },
    deliver: (frame) => take({ frame }),
    finish: (reason) => {
      sending = false
      take({ closed: reason })
    },
  }
}
