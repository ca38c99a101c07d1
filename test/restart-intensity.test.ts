/** What dies again and again, in simulation: given up, or back, at the very moment that the rule of restarts says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  describeRestartCase, restartCases, restartVariants, runRestartIntensity, type RestartCase, type RestartVariant,
} from '../boot/sim/restart-intensity.ts'
import { RestartModel } from '../boot/sim/restart-model.ts'

/** Restarts, and whether it is given up in the end. What needs it dies once more each where it dies `one-less`. */
const outcomes: Readonly<Record<RestartVariant, readonly [restarts: number, givenUp: number]>> = {
  'too-often': [5, 1], 'one-less': [5, 0], 'just-in-window': [5, 1], 'a-window-later': [6, 0], 'as-it-starts': [5, 1],
}

async function failuresOf(chosen: readonly RestartCase[]): Promise<readonly string[]> {
  const failures: string[] = []
  assert.ok(chosen.length > 0)
  for (const one of chosen) {
    const { failure, restarted, failed } = await runRestartIntensity({ seed: one.index, keys: 'cheap' })
    const [restarts, givenUp] = outcomes[one.variant]
    const isRight = failed === givenUp && (one.variant === 'one-less' ? restarted >= restarts : restarted === restarts)
    if (failure) failures.push(`${describeRestartCase(one)}: ${failure.invariant}: ${failure.detail}`)
    else if (!isRight) failures.push(`${describeRestartCase(one)}: ${restarted} restarts, given up ${failed} times`)
  }
  return failures
}

test('the model, in figures: 25 to 50 ms, doubled each time, and the sixth death in a minute is the last', () => {
  const model = new RestartModel(undefined)
  const bounds = [[25, 50], [50, 100], [100, 200], [200, 400], [400, 800]] as const
  for (const [index, [least, most]] of bounds.entries()) {
    const atUs = 1_000_000 * (1 + index)
    assert.equal(model.death(atUs), {
      type: 'starts', leastUs: atUs + least * 1_000, mostUs: atUs + most * 1_000, exactUs: undefined,
    })
  }
  assert.equal(model.death(60_999_999), { type: 'failed', atUs: 60_999_999 })
  assert.is(model.death(61_000_000).type, 'starts')
})

const named = ({ host, actor }: RestartCase): string => (actor === undefined ? host : `${actor} on ${host}`)
const what = new Set(restartCases.map(named))

test('every actor of the first host is among them, the daemon of a node, and both hosts', () => {
  assert.equal([...what].sort(), [
    'cert-manager on ood1', 'gateway on ood1', 'node-daemon on node1', 'node-daemon on ood1', 'node1', 'ood1',
    'scheduler on ood1', 'service on ood1', 'system-config on ood1', 'vault on ood1', 'verify-hub on ood1',
  ])
  assert.is(restartCases.length, what.size * restartVariants.length)
})

for (const name of what) {
  test(`${name} dies too often, once less, at both sides of the window, and as it starts`, async () => {
    assert.equal(await failuresOf(restartCases.filter((one) => named(one) === name)), [])
  })
}

test.run()
