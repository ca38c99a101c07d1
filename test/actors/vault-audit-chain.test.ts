import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AuditChain } from '../../actors/vault/audit/chain.ts'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { openFolder } from '../../runtime/platform/files.ts'
import type { Clock, Files } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { faultsOf, namesIn, newFolder, recordsIn, removeFolders, verified } from './audit-fixture.ts'
import { failure, keys } from './vault-fixture.ts'

test.after(removeFolders)

/** A chain alone, with a folder and a clock of its own. */
async function chainIn(folder: string, changes: { files?: Files; clock?: Clock } = {}) {
  const faults: string[] = []
  const chain = await AuditChain.open({
    name: { zone: 'z1', host: 'ood1' }, files: changes.files ?? await openFolder(folder), keys,
    clock: changes.clock ?? systemClock, known: undefined,
    onFault: (message) => void faults.push(message), onBroken() {}, onCheckpoint() {},
  }, { kind: 'opened' })
  return { chain, faults }
}

const call = (index: number) => ({ kind: 'call', method: `m${index}` }) as const

test('records that wait share one write, in the order in which they came', async () => {
  const folder = await newFolder()
  const files = await openFolder(folder)
  let writes = 0
  const counted: Files = { ...files, append: (...given) => (writes++, files.append(...given)) }
  const { chain } = await chainIn(folder, { files: counted })
  writes = 0
  const numbers = await Promise.all(Array.from({ length: 500 }, (_, index) => chain.record(call(index))))
  assert.equal(numbers, Array.from({ length: 500 }, (_, index) => index + 2))
  assert.is(writes, 1)
  const records = await recordsIn(folder)
  assert.equal(records.map(({ seq }) => seq), Array.from({ length: 501 }, (_, index) => index + 1))
  assert.equal(await faultsOf(folder), [])
})

test('a write that was cut off anywhere is repaired by the next start, which says so', async () => {
  const whole = await newFolder()
  const { chain } = await chainIn(whole)
  await chain.record(call(1))
  const before = (await readFile(join(whole, '000000000001.jsonl'))).length
  await chain.record(call(2))
  const bytes = await readFile(join(whole, '000000000001.jsonl'))
  const last = bytes.length
  const lengths = [before, before + 1, last - 2, last - 1, last]
  for (let length = before + 2; length < last - 2; length += 3) lengths.push(length)
  for (const length of lengths) {
    const folder = await newFolder()
    await writeFile(join(folder, '000000000001.jsonl'), bytes.subarray(0, length))
    // With only its newline missing it is whole
    const isCut = length > before && length < bytes.length - 1
    assert.equal(await faultsOf(folder), [], `cut at ${length}`)
    assert.is((await verified(folder)).cutOff, isCut ? length - before : 0)
    const { chain: next, faults } = await chainIn(folder)
    await next.record(call(3))
    assert.is(faults.length, isCut ? 1 : 0, `cut at ${length}`)
    const after = await verified(folder)
    assert.equal([after.findings, after.repaired, after.cutOff], [[], isCut ? 1 : 0, 0], `cut at ${length}`)
  }
})

test('the repair itself may be cut off, and the next start repairs both', async () => {
  const folder = await newFolder()
  const path = join(folder, '000000000001.jsonl')
  const { chain } = await chainIn(folder)
  await chain.record(call(1))
  const whole = (await readFile(path)).length
  await chain.record(call(2))
  await truncate(path, whole + 20)
  await chainIn(folder)
  await truncate(path, whole + 60)
  const { chain: last } = await chainIn(folder)
  await last.record(call(3))
  const after = await verified(folder)
  assert.equal([after.findings, after.repaired], [[], 1])
})

test('a segment that is full is followed by the next, named for its first record', async () => {
  const folder = await newFolder()
  const { chain } = await chainIn(folder)
  const long = 'x'.repeat(limits.auditField)
  const entry = { kind: 'call', who: long, method: long, resource: long } as const
  const batch = Array.from({ length: 2_000 }, () => entry)
  for (let round = 0; round < 12; round++) await Promise.all(batch.map((each) => chain.record(each)))
  const names = await namesIn(folder)
  assert.ok(names.length >= 2, names.join())
  for (const name of names) {
    const { size } = await stat(join(folder, name))
    assert.ok(size <= limits.auditSegmentBytes, `${name}: ${size}`)
    const [first] = (await readFile(join(folder, name), 'utf8')).split('\n', 1)
    assert.is(Number(name.slice(0, 12)), (JSON.parse(first!) as AuditRecord).seq)
  }
  const { chain: next } = await chainIn(folder)
  await next.record(call(1))
  assert.equal(await faultsOf(folder), [])
  await rm(join(folder, names[0]!))
  assert.equal(await faultsOf(folder), ['segment-missing 1', 'missing 1'])
})

test('fields are cut at their limit, and no more of them are kept', async () => {
  const folder = await newFolder()
  const { chain } = await chainIn(folder)
  const many = Object.fromEntries(Array.from({ length: limits.auditFields + 3 }, (_, index) => [`f${index}`, index]))
  const long = 'x'.repeat(limits.auditField + 1)
  await chain.record({ kind: 'call', who: long.slice(1), method: long, about: { ...many, f0: long } })
  const record = (await recordsIn(folder)).at(-1)!
  assert.is(record.who, long.slice(1))
  assert.is(record.method, `${long.slice(2)}…`)
  assert.is(Object.keys(record.about!).length, limits.auditFields)
  assert.is(record.about!['f0'], `${long.slice(2)}…`)
})

test('more records than may wait are refused', async () => {
  const folder = await newFolder()
  const { chain } = await chainIn(folder)
  const waiting = Array.from({ length: limits.auditPending }, (_, index) => chain.record(call(index)))
  await failure(Overloaded, () => chain.record(call(0)))
  assert.is((await Promise.all(waiting)).length, limits.auditPending)
  await chain.record(call(1))
})

test('it is signed after so many records, and after so long where there are fewer', async () => {
  const folder = await newFolder()
  const timers: { task: () => void; ms: number }[] = []
  const clock: Clock = {
    ...systemClock,
    after(ms, task) {
      const timer = { task, ms }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
  }
  const { chain } = await chainIn(folder, { clock })
  assert.is(timers.length, 0, 'without a key')
  chain.key = keys.generate(systemRandom)
  assert.equal(timers.map(({ ms }) => ms), [limits.auditSignMs])
  const signatures = async (): Promise<number> =>
    (await recordsIn(folder)).filter(({ kind }) => kind === 'signature').length
  timers[0]!.task()
  await chain.record(call(0))
  assert.is(await signatures(), 1)
  for (let index = 0; index < limits.auditSignRecords - 3; index++) void chain.record(call(index))
  await chain.record(call(1))
  assert.is(await signatures(), 1)
  await chain.record(call(2))
  assert.is(await signatures(), 2)
})

test.run()
