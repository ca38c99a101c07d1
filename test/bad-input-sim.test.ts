/** What a person can get wrong with `sim`: one line says what, another what to do, before anything has run. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CHILD_MS_MAX } from './boot-fixtures/attempts.ts'
import { runChild, twoAtATime } from './boot-fixtures/child.ts'

const test = suite('bad input of a simulation')
const onDeno = 'Deno' in globalThis
const cli = onDeno ? ['run', '-A', '--unstable-worker-options', 'boot/cli.ts'] : ['boot/bin.mjs']

/** What `sim` is told that contradicts itself or cannot be. */
interface BadSimulation {
  readonly args: readonly string[]
  readonly message: RegExp
  readonly next: RegExp
}

const simulation = (words: string, message: RegExp, next: RegExp = /sim --help$/): BadSimulation =>
  ({ args: words.split(' '), message, next })

const simulations: readonly BadSimulation[] = [
  simulation('--seed 1 --seeds 1..5', /--seed names one run, and --seeds many/, /Leave one of them out/),
  simulation('--seeds 1..5 --only 3', /--only is about one run/, /--seed N/),
  simulation('--seeds 1..5 --trace x', /--trace is about one run/, /--seed N/),
  simulation('--seeds 1..5 --diagram', /--diagram is about one run/, /--seed N/),
  simulation('--seeds 1..5 --verify', /--verify is about one run/, /--seed N/),
  simulation('--seeds 5..1', /It ends before it begins: 1\.\.5\?/),
  simulation('--seeds 5', /It is a range of seeds .*, such as 1\.\.200/),
  simulation('--seeds 1..4294967296', /It is a range of seeds from 0 to 4294967295/),
  simulation('--seeds 1..200001', /at most \d+ seeds: 200001/, /shorter range/),
  simulation('--seed -1', /It is a whole number from 0 to 4294967295/),
  simulation('--only 3 --faults none', /--only chooses among the planned faults, but --faults none/, /Leave one/),
  simulation('--seed 29 --faults storm --hours 0.006 --only 3,99', /not in the plan: 99/, /indices 0 to \d+$/),
  simulation('--only a', /It is a list of indices of the plan, such as 3,7, or none/),
  simulation('--scenario zoned', /There is no such scenario: zoned/, /Choose one of zone, /),
  simulation('--scenario start-orders --nodes 3', /--nodes is not for start-orders/, /Leave --nodes out/),
  simulation('--seeds 1..9 --scenario restart-intensity --faults storm', /--faults is not for/, /Leave --faults out/),
  simulation('--oods 0', /at most 5 OODs: 0/, /--oods 1 to 5/),
  simulation('--oods 6 --scenario oods', /at most 5 OODs: 6/, /--oods 1 to 5/),
  simulation('--oods 2 --scenario canary', /--oods is not for canary: it has one OOD/, /Leave --oods out/),
  simulation('--oods 2 --scenario years', /--oods is not for years/, /Leave --oods out/),
  simulation('--oods 2 --nodes 2', /--nodes is not for oods/, /Leave --nodes out/),
  simulation('--nodes 1001', /at most 1000 nodes: 1001/, /--nodes 0 to 1000/),
  simulation('--hours 0', /more than 0 hours, and at most 168: 0/, /--hours 0\.05/),
  simulation('--hours 168.5', /more than 0 hours, and at most 168: 168\.5/, /--hours 0\.05/),
  simulation('--hours soon', /It is a number, such as 0\.5/),
  simulation('--faults much', /Allowed choices are none, some, storm/),
  simulation('--keys none', /Allowed choices are real, cheap/),
]

test('a simulation that contradicts itself or cannot be is refused before anything runs', async () => {
  const faults: string[] = []
  await twoAtATime(simulations, async ({ args, message, next }) => {
    const ended = await runChild(['sim', ...args], { msMax: CHILD_MS_MAX, before: cli })
    const [first = '', second = '', ...rest] = ended.noise.split('\n')
    const isRight = ended.code === 2 && /^error: /.test(first) && message.test(first) && /^ {2}next: {2}/.test(second)
      && next.test(second) && rest.length === 0
    if (!isRight) faults.push(`sim ${args.join(' ')}: ${ended.code}\n${ended.noise}`)
  })
  assert.equal(faults, [])
})

test.run()
