import { CommanderError } from 'commander'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { exitCodeTable } from '../../boot/commands/exit-codes.ts'
import { exitCodeOf, failureLines, failureOf, usageMessage } from '../../boot/commands/failure.ts'
import { assertPassed, proofLine } from '../../boot/commands/self-check.ts'
import { diagram } from '../../boot/diagram.ts'
import { ConfigInvalid, exitCodes } from '../../boot/errors.ts'
import {
  evidenceText, layoutOf, pairs, stepRow, styleOf, tableHead, tableRow, type StepRow,
} from '../../boot/render.ts'
import { bootSequence } from '../../boot/sequences.ts'
import { FolderInUse, PortInUse, ZonewrightError } from '../../runtime/errors.ts'
import type { StepEvent } from '../../runtime/trace.ts'

const plain = styleOf(false)
const BEGAN_MS = 1_000_000
const event = (number: number, evidence: StepEvent['evidence'], at = BEGAN_MS + 12.4): StepEvent =>
  ({ host: 'ood1', actor: 'recorded', at, sequence: 'boot', number, evidence })

const rowOf = (number: number, evidence: StepEvent['evidence'], at?: number): StepRow => {
  const row = stepRow(event(number, evidence, at), BEGAN_MS)
  if (!row) throw new Error(`No such step: ${number}`)
  return row
}
const numberOf = (what: RegExp): number => bootSequence.steps.find((step) => what.test(step.what))?.number ?? 0
const login = numberOf(/logs in/)
const firstWrite = numberOf(/first write/)

test('a step is shown as documented, with its evidence and the time since the start', () => {
  assert.equal(rowOf(firstWrite, { revision: 1 }), {
    number: firstWrite, from: 'boot-scheduler', to: 'system-config',
    what: 'makes the first write, authenticated by that token', evidence: { revision: 1 }, atMs: 12,
  })
})

test('a step that each service takes names the service of its evidence', () => {
  const row = rowOf(login, { appid: 'gateway', jti: 'x' })
  assert.is(row.from, 'gateway')
  assert.is(row.to, 'verify-hub')
})

test('a step that no sequence documents is not shown', () => {
  assert.is(stepRow(event(99, {}), BEGAN_MS), undefined)
  assert.is(stepRow({ ...event(1, {}), sequence: 'other' }, BEGAN_MS), undefined)
})

test('evidence shows the revision first and the beginning of identifiers, and not what the row says already', () => {
  const evidence = { appid: 'gateway', kid: 'k2BbqkelAxWsjR55', revision: 14, created: true, firstBoot: false, sid: '' }
  assert.is(evidenceText(evidence), 'revision 14  kid k2Bbqkel  created  firstBoot false')
})

test('in a wide terminal, and in none, every row is one line and the columns stand below each other', () => {
  const rows = bootSequence.steps.map(({ number }) => rowOf(number, { kid: 'abcdefghijkl' }))
  for (const columns of [undefined, 200, 160]) {
    const layout = layoutOf(bootSequence, columns)
    const lines = [...tableHead(layout, plain), ...rows.flatMap((row) => tableRow(row, layout, plain))]
    assert.is(lines.length, rows.length + 1)
    const evidenceColumn = lines[0]?.indexOf('evidence')
    assert.ok(lines.slice(1).every((line) => line.indexOf('kid abcdefgh') === evidenceColumn))
    assert.ok(lines.every((line) => line.length <= (columns ?? Infinity)))
  }
})

test('in a narrow terminal a row takes two lines, and none is too long', () => {
  const long = { kid: 'abcdefghijkl', jti: 'abcdefghijkl', sub: 'ood1', sid: 'abcdefghijkl', key: 'boot/config' }
  for (const columns of [80, 100, 120]) {
    const layout = layoutOf(bootSequence, columns)
    for (const { number } of bootSequence.steps) {
      const lines = tableRow(rowOf(number, long), layout, plain)
      assert.is(lines.length, 2)
      assert.ok(lines.every((line) => line.length <= columns), lines.join('\n'))
    }
  }
})

test('colours appear when they are asked for and nowhere else', () => {
  const layout = layoutOf(bootSequence, undefined)
  const row = rowOf(firstWrite, { revision: 1 })
  assert.not.ok(tableRow(row, layout, plain).join('').includes('\u001b'))
  assert.ok(tableRow(row, layout, styleOf(true)).join('').includes('\u001b[1m'))
})

test('pairs are aligned', () => {
  assert.equal(pairs([['a', '1'], ['long', '2'], ['', '3']]), ['  a     1', '  long  2', '        3'])
})

test('a diagram has every party once and every step in order, and nothing that mermaid would read as its own', () => {
  const rows = [rowOf(1, { kid: 'abcdefghijkl', device: 'ood1' }), rowOf(login, { appid: 'end' })]
  const drawn = diagram('A <zone>; boots #1', rows)
  const lines = drawn.split('\n')
  assert.is(lines[0], 'sequenceDiagram')
  assert.is(lines[1], '  title A #60;zone#62;#59; boots #35;1')
  assert.equal(lines.filter((line) => line.includes('participant')), [
    '  participant p_ood as ood', '  participant p_system_config as system-config', '  participant p_end as end',
    '  participant p_verify_hub as verify-hub',
  ])
  assert.match(lines.at(-2) ?? '', /^ {2}p_ood->>p_system_config: 1\. [^;]*#59;[^;]*<br\/>kid abcdefgh, device ood1$/)
  assert.match(lines.at(-1) ?? '', /^ {2}p_end->>p_verify_hub: \d+\. logs in by that token$/)
})

test('an error says what, where and what to do next, and no stack', () => {
  const error = new ConfigInvalid('It is wrong', { path: '/zone/zone.yaml', next: 'Mend it' })
  const lines = ['error: It is wrong', '  where: /zone/zone.yaml', '  next:  Mend it']
  assert.equal(failureLines(error, plain, false), lines)
  assert.equal(failureOf(error), { code: 'ConfigInvalid', message: 'It is wrong', next: 'Mend it' })
  assert.is(exitCodeOf(error), 3)
})

test('where is not said twice, and an error that says no next step gets the usual one', () => {
  const lines = failureLines(new FolderInUse('Used by process 7: /zone', { path: '/zone' }), plain, false)
  const next = '  next:  Stop that process, or give another folder with --dir'
  assert.equal(lines, ['error: Used by process 7: /zone', next])
  assert.match(failureOf(new PortInUse('taken')).next ?? '', /--port/)
})

test('an error of another kind is one line and exit code 1, and its stack is shown with --debug', () => {
  const error = new Error('first\n  second')
  assert.equal(failureLines(error, plain, false), ['error: first; second'])
  assert.is(exitCodeOf(error), 1)
  assert.is(exitCodeOf(new ZonewrightError('NotListed', 'x')), 1)
  assert.ok(failureLines(error, plain, true).some((line) => line.includes('render.test')))
})

test('a command line that cannot be read is told in our form', () => {
  const message = "error: unknown option '--onc'\n(Did you mean --once?)"
  assert.equal(usageMessage(new CommanderError(1, 'commander.unknownOption', message)),
    { message: "Unknown option '--onc'", hint: 'Did you mean --once?' })
})

test('every exit code has a meaning', () => {
  const listed = new Set(exitCodeTable().flatMap(([, , names]) => names))
  assert.equal(Object.keys(exitCodes).filter((name) => !listed.has(name)), [])
})

const attack = {
  name: 'A forged frame', group: 'frames', expected: 'denied', outcome: 'denied',
  code: 'FrameRejected', reason: 'forged', ok: true,
} as const

test('an attack that was refused is told with its code, and one that got in with what was expected', () => {
  assert.match(proofLine(attack, plain), /^ {2}refused {2}A forged frame +FrameRejected {2}forged$/)
  const gotIn = { ...attack, outcome: 'allowed', code: '', reason: '', ok: false } as const
  assert.match(proofLine(gotIn, plain), /^ {2}allowed {2}A forged frame +expected: refused$/)
})

test('one attack that got in, or one allowed call that did not work, fails the self-check by name', () => {
  assertPassed({ passed: 1, failed: 0, results: [attack] })
  const gotIn = { ...attack, outcome: 'allowed', ok: false } as const
  const refused = { ...attack, name: 'An honest call', expected: 'allowed', ok: false } as const
  const fail = (): void => assertPassed({ passed: 1, failed: 2, results: [attack, gotIn, refused] })
  assert.throws(fail, (error: ZonewrightError) => error.code === 'SelfCheckFailed' && exitCodeOf(error) === 13
    && error.message.endsWith('not refused: A forged frame; did not work: An honest call'))
})

test.run()
