/** What the command line makes of text that others wrote, and of terminals of any width. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readDocument } from '../../boot/client/document.ts'
import { failureOf } from '../../boot/commands/failure.ts'
import { cutTo, jsonLine, printable, printableLines, widthOf } from '../../boot/printable.ts'
import { styleOf } from '../../boot/render.ts'
import { duration, fields, table } from '../../boot/table.ts'
import { ServiceSpec } from '../../actors/records.ts'
import { Denied } from '../../runtime/errors.ts'

const HOSTILE = [
  '\u001b[2J\u001b[1;1H', '\u001b]0;title\u0007', '\u009b31m', '\r', '\u0000', '\u0008', '\u007f', '\u202e', '\u2066',
  '\u200b', '\ufeff', '\u2028', '\u{e0041}',
]

/** Whatever a terminal acts on. */
const ACTS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

test('nothing that others wrote can act on a terminal', () => {
  for (const text of HOSTILE) {
    for (const shown of [printable(`a${text}b\n`), printableLines(`a${text}b`), jsonLine({ text })]) {
      assert.not.match(shown, ACTS, JSON.stringify(text))
      assert.ok(shown.length > 3, shown)
    }
    assert.equal(JSON.parse(jsonLine({ [text]: text })), { [text]: text })
  }
  assert.is(printable('a\nb\tc'), 'a\\nb\\tc')
  assert.is(printableLines('a\nb\tc'), 'a\nb\tc')
  assert.is(printable('grün 漢字 😀 –'), 'grün 漢字 😀 –')
})

test('a column is as wide as its letters are on a terminal', () => {
  for (const [text, width] of [['abc', 3], ['漢字', 4], ['e\u0301', 1], ['😀', 2], ['', 0]] as const) {
    assert.is(widthOf(text), width, text)
  }
  assert.is(cutTo('abcdef', 4), 'abc…')
  assert.is(cutTo('漢字漢字', 4), '漢…')
  assert.is(cutTo('abcd', 4), 'abcd')
})

test('a table fits the terminal, aligns, and gives up its last column first', () => {
  const plain = styleOf(false)
  const columns = [{ head: 'name' }, { head: 'count', align: 'right' as const }, { head: 'reason' }]
  const rows = [
    [{ text: 'a' }, { text: '7' }, { text: 'because of a long story that goes on\u001b[31m' }],
    [{ text: '漢字名' }, { text: '12' }, { text: '' }],
  ]
  const wide = table(columns, rows, undefined, plain)
  assert.equal(wide, [
    'name    count  reason',
    'a           7  because of a long story that goes on\\x1b[31m',
    '漢字名     12  ',
  ].map((line) => line.trimEnd()))
  for (const line of table(columns, rows, 30, plain)) assert.ok(widthOf(line) <= 30, line)
  assert.match(table(columns, rows, 30, plain)[1]!, /…$/)
  assert.equal(fields([['a', '1'], ['long', '\u0007']]), ['a     1', 'long  \\x07'])
})

test('a refusal that comes of two clocks says which one is wrong, and by how much', () => {
  const next = (details: object): string | undefined => failureOf(new Denied('No', { denial: 'D-1', ...details })).next
  assert.match(next({ reason: 'token/not-yet-valid', skewSeconds: 600 })!, /^Set the clock .* 600 s ahead /)
  assert.match(next({ reason: 'token/expired', expiredAgoSeconds: 300, issuedAgoSeconds: 600 })!, /signed 600 s ago/)
  assert.match(next({ reason: 'token/expired' })!, /^An admin can see why: explain D-1$/)
})

test('a span of time is told by its two largest units', () => {
  const spans: readonly (readonly [number, string])[] = [
    [0, '0 s'], [59_999, '59 s'], [61_000, '1 min 1 s'], [3_600_000, '1 h 0 min'], [90_061_000, '1 d 1 h'],
  ]
  for (const [ms, text] of spans) assert.is(duration(ms), text)
})

const SPEC = { name: 'web', appid: 'web', owner: null, runtimeType: 'service', kernel: false, audiences: [] }
const faults: readonly (readonly [text: string, message: RegExp])[] = [
  ['name: web\nappid: Web\nowner: null\nruntimeType: service\nkernel: false\naudiences: []\n', /^f:2: appid: /],
  ['name: web\nappid: web\nruntimeType: service\nkernel: false\naudiences: []\n', /^f:1: owner: this field is missing/],
  [JSON.stringify({ ...SPEC, kernel: 'no' }, null, 1), /^f:6: kernel: expected boolean, found "no"/],
  ['name: web\nappid: web\nowner: null\nruntimeType: service\nkernel: false\naudiences: []\nreplica: 2\n',
    /^f:7: replica: there is no such field/],
  ['name: web\nrun:\n  command: [/bin/x]\n  healt: 1\n', /^f:\d: /],
  ['name: web\nname: web\n', /^f:2: map keys must be unique/i],
  ['name: [web\n', /^f:\d: /],
  ['- a\n', /^f:1: it is not a mapping/],
  ['', /^f:1: it is not a mapping/],
]

test('a file that is not what it should be is told by line and field', () => {
  assert.equal(readDocument(JSON.stringify(SPEC), 'f', ServiceSpec, 'next'), SPEC)
  for (const [text, message] of faults) {
    assert.throws(() => readDocument(text, 'f', ServiceSpec, 'next'), (error: Error) => {
      assert.match(error.message, message)
      return true
    })
  }
})

test.run()
