/** A tunnel over a wire that drops, repeats, swaps and changes frames: it ends or goes on, and keeps nothing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { SeededRandom } from '../runtime/sim/random.ts'
import type { Channel, Frame } from '../transport/channel.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import type { TunnelEnd } from '../transport/tunnel/protocol.ts'
import { channelEnds, quiet, testClock, type Wire } from './runtime/link-fixture.ts'
import { link, optionsOf } from './tunnel-ends.ts'

const SEEDS = 400
const FRAMES = 12
/** A frame in so many is struck. */
const RATES = [5, 25, 100, 400]

function damaged(random: SeededRandom, oneIn: number): { wire: Wire; struck: () => number } {
  let struck = 0
  let held: Frame | undefined
  const pick = (below: number): number => below === 0 ? 0 : number(random) % below
  const wire: Wire = (frame, deliver, count) => {
    const pass = (one: Frame): void => {
      deliver(one)
      if (held === undefined) return
      deliver(held)
      held = undefined
    }
    if (count < 3 || pick(oneIn) > 0) return pass(frame)
    struck++
    const kind = pick(5)
    if (kind === 0) return
    if (kind === 1) return pass(frame), deliver(frame)
    if (kind === 2) return void (held = frame)
    if (kind === 3) return pass(frame.slice(0, pick(frame.length)))
    pass(flipped(frame, pick(frame.length), pick(256)))
  }
  return { wire, struck: () => struck }
}

const number = (random: SeededRandom): number => new DataView(random.bytes(4).buffer).getUint32(0)

function flipped(frame: Frame, at: number, to: number): Frame {
  if (typeof frame === 'string') return frame.slice(0, at) + String.fromCharCode(to) + frame.slice(at + 1)
  const bytes = frame.slice()
  bytes[at] = to
  return bytes
}

/** Counts what comes, and answers some of it. */
const echo = (channel: Channel): void => channel.receive((frame) => {
  if (frame.length % 2 === 0) channel.send(frame)
}, () => {})

async function run(seed: number): Promise<{ struck: number; ended: boolean }> {
  const random = new SeededRandom(`damage ${seed}`)
  const oneIn = RATES[seed % RATES.length]!
  const [to, back] = [damaged(random.fork('to'), oneIn), damaged(random.fork('back'), oneIn)]
  const { initiator, responder } = channelEnds({ kind: 'memory', toResponder: to.wire, toInitiator: back.wire })
  const clock = testClock()
  const [near, far] = [optionsOf('near', clock), optionsOf('far', clock)]
  const opening = [
    openTunnel({ ...near, channel: initiator, role: 'dialer' }),
    openTunnel({ ...far, channel: responder, role: 'listener' }),
  ]
  const both = Promise.allSettled(opening)
  await quiet()
  await clock.advance(limits.tunnelHelloMs + 1)
  const tunnels = (await both).flatMap((one): TunnelEnd[] => (one.status === 'fulfilled' ? [one.value] : []))
  for (const [index, tunnel] of tunnels.entries()) {
    for (let count = 0; count < FRAMES; count++) {
      void tunnel.open(link(`${index} ${count}`)).then(({ channel }) => {
        channel.receive(() => {}, () => {})
        channel.send(random.bytes(count * 3_000))
        channel.send('text'.repeat(count))
        if (count % 3 === 0) channel.close('enough')
      }, () => {})
      tunnel.tell('roots', 'x'.repeat(count * 1_500))
      await quiet(20)
      for (const [, accepted] of [...near.accepting.channels, ...far.accepting.channels]) echo(accepted)
      near.accepting.channels.clear()
      far.accepting.channels.clear()
    }
  }
  await clock.advance(limits.tunnelOpenMs + limits.tunnelLingerMs)
  const ended = await Promise.race([...tunnels.map(({ closed }) => closed.then(() => true)), quiet().then(() => false)])
  for (const tunnel of tunnels) tunnel.close('done')
  await clock.advance(120_000)
  assert.equal(tunnels.map(({ streams, held }) => [streams, held]), tunnels.map(() => [0, 0]), `seed ${seed}`)
  assert.is(clock.timers, 0, `seed ${seed}: timers`)
  return { struck: to.struck() + back.struck(), ended }
}

test('whatever a wire does to the frames, nothing is thrown, and nothing is kept at the end', async () => {
  const results = []
  for (let seed = 0; seed < SEEDS; seed++) results.push(await run(seed))
  const struck = results.reduce((sum, one) => sum + one.struck, 0)
  const ended = results.filter((one) => one.ended).length
  const lived = results.length - ended
  const found = `${struck} struck, ${ended} ended, ${lived} lived`
  assert.ok(struck > SEEDS && ended > SEEDS / 4 && lived > SEEDS / 10, found)
})

test.run()
