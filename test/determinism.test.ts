import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KeyKind } from '../runtime/sim/keys.ts'
import { describe, divergence } from '../runtime/sim/divergence.ts'
import { simulate, type SimulationResult } from '../runtime/sim/simulate.ts'
import { counters, wander, type Program } from './runtime/sim-programs.ts'
import { isChild, otherProcesses } from './other-runtimes.ts'

const SOURCE = 'test/determinism.test.ts'
const programs: Readonly<Record<string, Program>> = { wander, counters }
const keyKinds: readonly KeyKind[] = ['real', 'cheap']

type OnLine = (line: string) => void

const run = (name: string, keys: KeyKind, seed: number, onLine: OnLine = () => {}): Promise<SimulationResult> => {
  const { run: program, modules } = programs[name] as Program
  return simulate({ seed, keys, modules, maxEvents: 1_000_000, maxVirtualMs: 600_000, onLine }, program)
}

/** Results by program and kind of keys: what every process and runtime must have in common. */
async function runAll(): Promise<Readonly<Record<string, SimulationResult>>> {
  const results: Record<string, SimulationResult> = {}
  for (const name of Object.keys(programs)) {
    for (const keys of keyKinds) results[`${name}, ${keys} keys`] = await run(name, keys, 7)
  }
  return results
}

function defineTests(): void {
  for (const name of Object.keys(programs)) {
    for (const keys of keyKinds) {
      test(`a seed gives the same trace twice in one process: ${name}, ${keys} keys`, async () => {
        const results: SimulationResult[] = []
        const again = async (onLine: OnLine): Promise<void> => void results.push(await run(name, keys, 7, onLine))
        const parted = await divergence(again, again)
        assert.is(parted, undefined, parted && describe(parted))
        const [left, right] = results
        assert.equal(left, right)
        assert.ok(left && left.events > 100, `too few events: ${left?.events}`)
      })
    }
    test(`another seed gives another trace: ${name}`, async () => {
      assert.is.not((await run(name, 'cheap', 8)).hash, (await run(name, 'cheap', 7)).hash)
    })
  }

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`a seed gives the same trace in ${name}`, async () => {
      const here = await runAll()
      assert.equal(JSON.parse(output()), here)
    })
  }
  test.run()
}

if (isChild) console.log(JSON.stringify(await runAll()))
else defineTests()
