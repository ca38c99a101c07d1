/** What one more host of a zone costs does not depend on how many there are. Counted, so no clock has a say. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulateZone } from '../boot/sim/zone.ts'
import { ChannelEnd } from '../runtime/sim/network.ts'

interface Cost {
  /** On all channels between actors. */
  readonly characters: number
  readonly frames: number
  readonly events: number
}

async function costOf(nodes: number): Promise<Cost> {
  let [characters, frames] = [0, 0]
  const { open } = ChannelEnd.prototype
  ChannelEnd.prototype.open = function (this: ChannelEnd, kind) {
    const channel = open.call(this, kind)
    return {
      ...channel,
      send(frame) {
        characters += frame.length
        frames++
        channel.send(frame)
      },
    }
  }
  try {
    const { events } = await simulateZone({ seed: 1, keys: 'cheap', nodes })
    return { characters, frames, events }
  } finally {
    ChannelEnd.prototype.open = open
  }
}

test('the hosts that are there already make another one send and receive no more', async () => {
  const [few, some, many] = [await costOf(10), await costOf(30), await costOf(70)]
  for (const what of ['characters', 'frames', 'events'] as const) {
    const [early, late] = [(some[what] - few[what]) / 20, (many[what] - some[what]) / 40]
    assert.ok(late < 1.15 * early, `${what} of a host: ${Math.round(early)}, later ${Math.round(late)}`)
  }
})

test.run()
