import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { judge, type Attempt } from '../../boot/prove/judge.ts'
import type { Scene } from '../../boot/prove/scene.ts'
import { limits } from '../../runtime/limits.ts'
import { SimulationLimit } from '../../runtime/sim/simulate.ts'
import { quiet, testClock } from '../runtime/link-fixture.ts'
import { failureOf, pause, simulateWith } from '../runtime/sim-fixture.ts'

const test = suite('limits of the simulator and the proof')

test('as many events as the limit may wait in a simulation, one more fails the run', async () => {
  const wait = (count: number) => async ({ clock }: Parameters<Parameters<typeof simulateWith>[0]>[0]) => {
    for (let event = 0; event < count; event++) clock.after(1_000_000, () => {})
  }
  const { events } = await simulateWith(wait(limits.simulatedEvents))
  assert.is(events, 0)
  assert.instance(await failureOf(wait(limits.simulatedEvents + 1)), SimulationLimit)
})

test('as many frames as the limit may wait for an end that nobody has opened, one more fails the run', async () => {
  const send = (count: number) => async (world: Parameters<Parameters<typeof simulateWith>[0]>[0]) => {
    const { platform } = world.startProcess('ood1')
    const [left] = platform.channelPair()
    const channel = platform.openChannel(left)
    for (let frame = 0; frame < count; frame++) channel.send('x')
    await pause(world, 60_000)
  }
  const options = { maxEvents: 3 * limits.simulatedBacklog }
  await simulateWith(send(limits.simulatedBacklog), options)
  assert.instance(await failureOf(send(limits.simulatedBacklog + 1), options), SimulationLimit)
})

test('an attempt of a proof that takes longer than the limit is neither allowed nor refused', async () => {
  for (const [extraMs, outcome] of [[-1, 'allowed'], [1, 'error']] as const) {
    const clock = testClock()
    const scene = { platform: { clock }, snapshot: async () => new Map(), hangUp() {} } as unknown as Scene
    const attempt: Attempt = {
      name: 'It takes its time', group: 'calls', expected: 'allowed',
      prepare: async () => () => new Promise((resolve) => void clock.after(limits.proofMs + extraMs, () => resolve(1))),
    }
    const judged = judge(attempt, scene)
    await quiet()
    await clock.advance(limits.proofMs + 2)
    const result = await judged
    assert.equal([result.outcome, result.code], [outcome, outcome === 'error' ? 'DeadlineExceeded' : ''])
  }
})

test.run()
