/** What is said in the table is so: on every runtime, whoever takes the guards out. */
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { drawOptions } from '../../boot/sim/options.ts'
import { allInvariants } from '../../boot/sim/report.ts'
import { guards, secondLines } from './guards.ts'
import { unnoticed, verdictOf } from './judging.ts'
import { shareOf } from './share.ts'

const texts = new Map<string, string>()
const textOf = (path: string): string => {
  const text = texts.get(path) ?? readFileSync(path, 'utf8')
  texts.set(path, text)
  return text
}

test('each guard stands exactly once in its file', () => {
  const others = [...guards, ...secondLines].filter(({ file, guard }) => textOf(file).split(guard).length !== 2)
  assert.equal(others.map(({ file, name }) => `${file}: ${name}`), [])
})

test('without a guard there is another text, and each is taken out under a name of its own', () => {
  assert.equal(guards.filter(({ guard, without }) => guard === without).map(({ name }) => name), [])
  const names = [...guards, ...secondLines].map(({ file, name }) => `${file}: ${name}`)
  assert.equal(names.filter((name, index) => names.indexOf(name) !== index), [])
})

test('only production code has guards, and each judge is a test', () => {
  const elsewhere = guards.filter(({ file }) => !/^(runtime|transport|actors|boot)\//.test(file))
  assert.equal(elsewhere.map(({ name }) => name), [])
  const judges = new Set(guards.flatMap(({ judge }) => (judge.by === 'test' ? [judge.file] : [])))
  assert.equal([...judges].filter(file => !file.endsWith('.test.ts') || !existsSync(file)), [])
})

test('the shares are the whole, and none is empty', () => {
  for (const count of [1, 2, 3, 7]) {
    const shares = Array.from({ length: count }, (_, number) => shareOf(guards, count, number))
    assert.is(shares.flat().length, guards.length)
    assert.is(new Set(shares.flat()).size, guards.length)
    assert.ok(shares.every(share => share.length > 0))
  }
})

const summary = (total: number, passed: number): string => `\n  Total:     ${total}\n  Passed:    ${passed}\n`
const failures = '   FAIL  "one of them"\n    Expected\n\n   FAIL  suite  "another of them"\n    Expected\n'
const judge = { by: 'test', file: 'test/a.test.ts' } as const
const ofSeed = { by: 'seed', seed: 1, options: {}, invariant: 'matrix' } as const

test('a judge has judged when it ran to its end: a crash and a time limit are no verdict', () => {
  const verdict = (output: string, late = false) => verdictOf(judge, { output, late })
  assert.equal(verdict(summary(2, 2)), { verdict: 'passed' })
  assert.equal(verdict(failures + summary(3, 1)), { verdict: 'failed', by: ['one of them', 'another of them'] })
  for (const output of ['', 'Error: Cannot find module', 'Exiting early before testing is finished.', summary(0, 0)]) {
    assert.is(verdict(output).verdict, 'none')
  }
  assert.is(verdict(failures + summary(3, 1), true).verdict, 'none')
})

test('a run with a seed has judged when it says what it broke, or that it broke nothing', () => {
  const verdict = (output: string, late = false) => verdictOf(ofSeed, { output, late })
  assert.equal(verdict('(node:1) Warning\njudged\n'), { verdict: 'passed' })
  assert.equal(verdict('judged acknowledged-write\n'), { verdict: 'failed', by: ['acknowledged-write'] })
  for (const output of ['', 'Error: no']) assert.is(verdict(output).verdict, 'none')
  assert.is(verdict('judged matrix', true).verdict, 'none')
  assert.is(unnoticed({ judge: ofSeed }, verdict('judged matrix')), undefined)
  assert.match(unnoticed({ judge: ofSeed }, verdict('judged error'))!, /not by this: matrix/)
  assert.match(unnoticed({ judge: ofSeed }, verdict('judged'))!, /passes without it/)
})

test('each run that judges a guard can be made, and breaks an invariant that there is', () => {
  for (const { name, judge } of guards) {
    if (judge.by !== 'seed') continue
    const { seed, options } = judge
    assert.is(drawOptions({ ...options, seed }).seed, seed, name)
    assert.ok(allInvariants.some((each) => each.name === judge.invariant), name)
  }
})

test('a guard is noticed to be missing by a test that fails, and by the one that is named', () => {
  const failed = { verdict: 'failed', by: ['one of them'] } as const
  assert.is(unnoticed({ judge }, failed), undefined)
  assert.is(unnoticed({ judge: { ...judge, test: 'one of them' } }, failed), undefined)
  assert.match(unnoticed({ judge: { ...judge, test: 'another' } }, failed)!, /not by this: another/)
  assert.match(unnoticed({ judge }, { verdict: 'passed' })!, /passes without it/)
  assert.match(unnoticed({ judge }, { verdict: 'none', why: 'late' })!, /has not judged/)
})

test.run()
