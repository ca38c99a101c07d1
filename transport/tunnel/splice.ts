import type { Channel, PacedChannel } from '../channel.ts'
import type { StreamChannel } from './protocol.ts'

/** Whatever one end brings goes to the other, until either closes; a stream waits while the other end is full. */
export function splice(left: Channel, right: Channel, onOver?: (reason: string) => void): void {
  let over = false
  const end = (reason: string): void => {
    left.close(reason)
    right.close(reason)
    if (over) return
    over = true
    onOver?.(reason)
  }
  pass(left, right, end)
  pass(right, left, end)
}

function pass(from: Channel, to: Channel, onClose: (reason: string) => void): void {
  if (!canHold(from) || !isPaced(to)) return from.receive((frame) => to.send(frame), onClose)
  to.onDrained(() => from.hold(false))
  from.receive((frame) => {
    to.send(frame)
    if (to.full) from.hold(true)
  }, onClose)
}

const canHold = (channel: Channel): channel is StreamChannel => 'hold' in channel
const isPaced = (channel: Channel): channel is PacedChannel => 'onDrained' in channel
