/** Order between a pair of actors: worker threads and the simulator run one script, and each pair has one sequence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { everybody, killed, playInWorkers, playSimulated, type Run } from './order/play.ts'
import { differences, handedIn, interleaving, sentIn, type Sequences } from './order/sequences.ts'

const SEEDS = [1, 2, 3, 4, 5]
const SWAPS = 'right that swaps two messages'
const simulated: Run[] = []
let inWorkers: Run
let first: Sequences

test.before(async () => {
  for (const seed of SEEDS) simulated.push(await playSimulated(seed, everybody))
  inWorkers = await playInWorkers(everybody)
  first = handedIn(simulated[0]!)
})

test('each callee is handed what each caller sent, cancellations too, in the order in which it was sent', () => {
  for (const run of [...simulated, inWorkers]) assert.equal(differences(sentIn(run), handedIn(run)), [])
})

test('whatever the seed, each pair of actors has the same messages in the same order', () => {
  for (const run of simulated.slice(1)) assert.equal(differences(first, handedIn(run)), [])
})

test('in worker threads each pair of actors has the messages that it has in the simulator, in their order', () => {
  assert.equal(differences(first, handedIn(inWorkers)), [])
})

test('between pairs the seeds differ, all of them', () => {
  assert.is(new Set(simulated.map(interleaving)).size, SEEDS.length)
})

test('the script has many messages of every kind, and every pair', () => {
  const pairs = new Set([...first.keys()].map((key) => key.slice(0, key.indexOf(':'))))
  assert.equal([...pairs].sort(), [
    'hub 1 > ledger', 'left 1 > hub', 'left 1 > ledger', 'left 2 > hub', 'left 2 > ledger', 'right 1 > hub',
    'right 1 > ledger', 'supervisor 1 > hub', 'supervisor 1 > ledger',
  ])
  const direct = first.get('left 1 > ledger: left') ?? []
  for (const kind of ['add', 'note', 'sign', 'read', 'list', 'hold', 'cancel']) {
    const count = direct.filter((what) => what.startsWith(`${kind} `)).length
    assert.ok(count >= 24, `too few of ${kind}: ${count}`)
  }
  assert.equal(first.get('left 2 > ledger: left'), direct)
})

test('what an actor sends on for several callers arrives in the order in which it sent it, all lanes together', () => {
  for (const run of [...simulated, inWorkers]) {
    const arrived = run.ledger.filter(({ caller }) => caller === 'hub').map(({ what }) => what)
    assert.ok(arrived.length > 1_000, `too few: ${arrived.length}`)
    const sent = run.sent.filter(([life]) => life === 'hub 1').flatMap(([, messages]) => messages)
    assert.equal(arrived, sent.map(({ what }) => what))
  }
})

/** Of each lane of the caller that was killed, what arrived against all that its next life sent. */
function lanesCut(run: Run): readonly { readonly arrived: readonly string[]; readonly sent: readonly string[] }[] {
  const sequences = handedIn(run)
  // The end of a link cancels what was under way: nobody sent that
  const messages = (lane: readonly string[] | undefined): readonly string[] =>
    (lane ?? []).filter((what) => !what.startsWith('cancel '))
  return [...sequences].filter(([key]) => /: left\b/.test(key)).map(([key, lane]) => {
    const next = key.replace('left 1', 'left 2').replace(': left', ': another')
    const sent = messages(sequences.get(next)).map((what) => what.replace(' another', ' left'))
    return { arrived: messages(lane), sent }
  })
}

test('of an actor that is killed as it speaks, what arrived is the beginning of what it sent', async () => {
  const runs = [await playInWorkers(killed(60))]
  for (const seed of SEEDS.slice(0, 3)) runs.push(await playSimulated(seed, killed(100 * seed)))
  for (const lanes of runs.map(lanesCut)) {
    for (const { arrived, sent } of lanes) assert.equal(arrived, sent.slice(0, arrived.length))
  }
  for (const lanes of runs.slice(1).map(lanesCut)) {
    assert.ok(lanes.some(({ arrived, sent }) => arrived.length < sent.length), 'it had said everything')
  }
})

for (const [where, play] of Object.entries({
  'the simulator': () => playSimulated(1, everybody, SWAPS), 'worker threads': () => playInWorkers(everybody, SWAPS),
})) {
  test(`a planted swap of two messages of one caller is found and named: in ${where}`, async () => {
    const run = await play()
    for (const found of [differences(first, handedIn(run)), differences(sentIn(run), handedIn(run))]) {
      assert.is(found.length, 1, found.join('\n'))
      assert.match(found[0] ?? '', /^right 1 > ledger: right, message 40: \w+ right\/39 \| \w+ right\/40$/)
    }
  })
}

test.run()
