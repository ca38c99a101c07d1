/** Fault points: each stands in one place of production code, and does nothing there outside a simulation. */
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  crashPoints, faultPoints, install, mayCrash, saw, strikes, type CrashPoint, type FaultPoint,
} from '../../runtime/fault-points.ts'
import type { Points } from '../../runtime/sim/points.ts'
import { failureOf, pause, simulateWith } from './sim-fixture.ts'

const faults = Object.keys(faultPoints) as FaultPoint[]
const crashes = Object.keys(crashPoints) as CrashPoint[]

const sources = ['runtime', 'actors', 'boot', 'transport'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: `${folder}/${path.replaceAll('\\', '/')}` }))
    .map(({ path }) => ({ path, text: readFileSync(path, 'utf8') })))

const nothing: Points = { strikes: () => false, crashes: () => false, saw: () => {} }

test('each point of the table stands in one place, and no other name is used', () => {
  const used = sources.flatMap(({ text }) =>
    [...text.matchAll(/\b(?:strikes|mayCrash)\('([^']+)'\)/g)].map((found) => found[1]!))
  assert.equal([...used].sort(), [...faults, ...crashes].sort())
})

test('outside a simulation none strikes, none crashes, and nobody is told', () => {
  for (const point of faults) assert.is(strikes(point), false, point)
  for (const point of crashes) assert.is(mayCrash(point), undefined, point)
  saw(() => { throw new Error('Nobody asked') })
})

test('only the simulator can install anything there, and one at a time', () => {
  const imports = /import \{[^}]*\binstall\b[^}]*\} from '[^']*fault-points\.ts'/
  const importers = sources.filter(({ text }) => imports.test(text))
  assert.equal(importers.map(({ path }) => path), ['runtime/sim/simulate.ts'])
  const remove = install({ strikes: () => true, crash: () => {}, saw: () => {} })
  try {
    assert.ok(strikes(faults[0]!))
    assert.throws(() => install({ strikes: () => true, crash: () => {}, saw: () => {} }), /Another simulation/)
  } finally {
    remove()
  }
  assert.is(strikes(faults[0]!), false)
})

test('within a run a point strikes when its simulation says so, and is a line of the trace', async () => {
  const lines: string[] = []
  const seen: string[] = []
  await simulateWith(async (world) => {
    await pause(world, 1)
    assert.is(strikes('link/closes'), true)
    assert.is(strikes('store/overrun'), false)
  }, {
    onLine: (line) => void lines.push(line),
    points: { ...nothing, strikes: (point, at) => (seen.push(`${point} ${at}`), point === 'link/closes') },
  })
  assert.equal(seen, ['link/closes observer', 'store/overrun observer'])
  assert.ok(lines.some((line) => line.endsWith('point link/closes observer')))
  assert.is(strikes('link/closes'), false, 'and no longer after it')
})

test('a crash ends the thread that it is in, and nothing behind it runs', async () => {
  let after = false
  const ended: string[] = []
  await simulateWith(async (world) => {
    const started = world.startProcess('ood1')
    started.onEnd(() => ended.push('ended'))
    started.platform.clock.after(1, () => {
      try {
        mayCrash('boot/keys-made')
      } catch {
        return void ended.push('thrown')
      }
      after = true
    })
    await pause(world, 10)
  }, { points: { ...nothing, crashes: () => true } })
  assert.equal(ended, ['ended', 'thrown'])
  assert.not(after)
})

test('what a point lets happen is not lost: an error of the simulation itself fails the run', async () => {
  const error = await failureOf(async (world) => {
    await pause(world, 1)
    strikes('link/closes')
  }, { points: { ...nothing, strikes: () => { throw new Error('Planted') } } })
  assert.is(error.message, 'Planted')
})

test.run()
