import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AuditChain } from '../../actors/vault/audit/chain.ts'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { verifyAudit } from '../../boot/audit/verify.ts'
import { Denied, DiskFull, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { openFolder } from '../../runtime/platform/files.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Clock, Files } from '../../runtime/platform/ports.ts'
import { diskFull } from '../../runtime/platform/disk-full.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Store } from '../../runtime/store/store.ts'
import {
  as, bootScheduler, failure, kernelPeer, keys, newStore, newUnsealKey, startIn, supervisor, verifyHub,
} from './vault-fixture.ts'

const platform = await openPlatform()
const folders: string[] = []
test.after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
})

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-audit-'))
  folders.push(folder)
  return folder
}

const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort()

async function recordsIn(folder: string): Promise<AuditRecord[]> {
  const texts = await Promise.all((await namesIn(folder)).map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('').split('\n').filter(Boolean).map((line) => JSON.parse(line) as AuditRecord)
}

const verified = (folder: string) => verifyAudit({ platform, folder })
const faultsOf = async (folder: string): Promise<string[]> =>
  (await verified(folder)).findings.map(({ fault, seq }) => `${fault} ${seq}`)

async function vaultWithAudit(store: Store = newStore(), given?: { secrets: Record<string, string>; folder: string }) {
  const folder = given?.folder ?? await newFolder()
  const secrets = given?.secrets ?? { 'unseal-key': newUnsealKey() }
  const vault = await startIn(store, secrets, { files: await openFolder(folder) })
  return { ...vault, store, secrets, folder }
}

const told = ({ kind, method, resource, outcome, code }: AuditRecord): string =>
  [kind, method, resource, outcome, code].filter(Boolean).join(' ')

test('what is asked, allowed or not, and what becomes of the vault, is recorded before it is answered', async () => {
  const { handlers, lifecycle, folder, secrets, store } = await vaultWithAudit()
  const last = async (): Promise<string> => told((await recordsIn(folder)).at(-1)!)
  await handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler))
  assert.is(await last(), 'call ensureKey verify-hub done')
  await handlers.readKey({ name: 'verify-hub' }, as(verifyHub))
  assert.is(await last(), 'call readKey verify-hub done')
  await failure(Denied, async () => handlers.readKey({ name: 'verify-hub' }, as(verifyHub)))
  assert.is(await last(), 'call readKey verify-hub denied Denied')
  await failure(Denied, async () => handlers.seal({}, as(kernelPeer('gateway'))))
  assert.is(await last(), 'call seal - denied Denied')
  await handlers.putSecret({ path: 'verify-hub/s', value: 'the value itself' }, as(verifyHub))
  assert.is(await last(), 'call putSecret verify-hub/s begun')
  await handlers.getSecret({ path: 'verify-hub/s' }, as(verifyHub))
  assert.is(await last(), 'call getSecret verify-hub/s done')
  await Promise.resolve(handlers.getSecret({ path: 'verify-hub/no' }, as(verifyHub))).catch(() => {})
  assert.is(await last(), 'call getSecret verify-hub/no failed SecretNotFound')
  await Promise.resolve(handlers.putSecret({ path: 'verify-hub/s', value: 'x', cas: 9 }, as(verifyHub))).catch(() => {})
  const records = await recordsIn(folder)
  const [begun, failed] = records.slice(-2)
  assert.equal([told(begun!), told(failed!), failed!.of],
    ['call putSecret verify-hub/s begun', 'call putSecret verify-hub/s failed SecretVersionMismatch', begun!.seq])
  await handlers.rotateBarrier({}, as(supervisor))
  await handlers.seal({}, as(supervisor))
  await Promise.resolve(handlers.getSecret({ path: 'verify-hub/s' }, as(verifyHub))).catch(() => {})
  assert.is(await last(), 'call getSecret verify-hub/s failed VaultSealed')
  const wrong = 'A'.repeat(44)
  for (let index = 0; index < 3; index++) {
    await Promise.resolve(handlers.unseal({ share: `${wrong.slice(index)}${'B'.repeat(index)}` }, as(supervisor)))
      .catch(() => {})
  }
  await handlers.unseal({}, as(supervisor))
  await lifecycle.stop?.()
  await failure(Unavailable, async () => handlers.getSecret({ path: 'verify-hub/s' }, as(verifyHub)))
  const all = (await recordsIn(folder)).map(told)
  for (const expected of [
    'opened', 'vault initialise begun', 'vault initialise done', 'vault unseal done', 'call rotateBarrier - done',
    'vault seal done', 'call seal - done', 'vault unseal failed VaultSealed', 'call unseal - failed VaultSealed',
    'call unseal - done', 'closed', 'signature',
  ]) assert.ok(all.includes(expected), `${expected} is not in ${all.join(', ')}`)
  await failure(Denied, async () => (await vaultWithAudit(store, { secrets, folder })).handlers.seal({}, as(verifyHub)))
  const text = JSON.stringify(await recordsIn(folder))
  for (const secret of ['the value itself', secrets['unseal-key']!, wrong]) assert.not.ok(text.includes(secret))
  assert.equal(await faultsOf(folder), [])
})

test('a chain goes on over starts, its files are for their owner alone, and it ends signed', async () => {
  const { folder, store, secrets, lifecycle } = await vaultWithAudit()
  await lifecycle.stop?.()
  for (let index = 0; index < 3; index++) {
    const { lifecycle: next } = await vaultWithAudit(store, { secrets, folder })
    await next.stop?.()
  }
  const after = await verified(folder)
  assert.equal(after.findings, [])
  assert.equal([after.segments, after.unsigned, after.signatures], [1, 0, 4])
  assert.equal((await recordsIn(folder)).filter(({ kind }) => kind === 'opened').length, 4)
  for (const name of await readdir(folder)) assert.is((await stat(join(folder, name))).mode & 0o777, 0o600)
})

/** A chain alone, with a folder and a clock of its own. */
async function chainIn(folder: string, changes: { files?: Files; clock?: Clock; known?: { seq: number; hash: string } } = {}) {
  const faults: string[] = []
  const broken: Error[] = []
  const chain = await AuditChain.open({
    name: { zone: 'z1', host: 'ood1' }, files: changes.files ?? await openFolder(folder), keys,
    clock: changes.clock ?? systemClock, known: changes.known,
    onFault: (message) => void faults.push(message), onBroken: (error) => void broken.push(error), onCheckpoint() {},
  }, { kind: 'opened' })
  return { chain, faults, broken }
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
  for (let length = before; length <= bytes.length; length++) {
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

/** Takes so many bytes, then is full: what fits of a write stays there when the cut is not taken back. */
function smallDisk(files: Files, leaves: boolean) {
  const disk = { room: Infinity }
  const limited: Files = {
    ...files,
    async append(name, contents, options) {
      if (contents.length <= disk.room) {
        disk.room -= contents.length
        return files.append(name, contents, options)
      }
      if (leaves) await files.append(name, contents.subarray(0, disk.room), options)
      throw diskFull(files.path(name), Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
    },
  }
  return { disk, files: limited }
}

for (const leaves of [false, true]) {
  test(`on a full disk nothing is answered unaudited, and it goes on when there is room: ${leaves}`, async () => {
    const folder = await newFolder()
    const { disk, files } = smallDisk(await openFolder(folder), leaves)
    const vault = await startIn(newStore(), { 'unseal-key': newUnsealKey() }, { files })
    const read = async () => vault.handlers.getSecret({ path: 'verify-hub/s' }, as(verifyHub))
    await vault.handlers.putSecret({ path: 'verify-hub/s', value: 'v' }, as(verifyHub))
    const before = await recordsIn(folder)
    disk.room = 100
    for (const outcome of await Promise.allSettled([read(), read(), read()])) {
      assert.is(outcome.status === 'rejected' && outcome.reason instanceof DiskFull, true)
    }
    await failure(DiskFull, async () => vault.handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler)))
    await failure(DiskFull, async () => vault.handlers.seal({}, as(kernelPeer('gateway'))))
    if (!leaves) assert.equal(await recordsIn(folder), before)
    disk.room = Infinity
    const outcomes = [await read().catch((error) => error), await read()]
    assert.is((outcomes[1] as { value: string }).value, 'v')
    assert.is(outcomes[0] instanceof DiskFull || (outcomes[0] as { value: string }).value === 'v', true)
    await vault.lifecycle.stop?.()
    const after = await verified(folder)
    assert.equal(after.findings, [])
    assert.is(after.repaired, leaves ? 1 : 0)
    assert.equal(vault.failures, [])
  })
}

test('a disk that fails ends the vault: nobody knows what is on it', async () => {
  const folder = await newFolder()
  const files = await openFolder(folder)
  let fails = false
  const failing: Files = {
    ...files,
    append: async (...given) => {
      if (fails) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return files.append(...given)
    },
  }
  const vault = await startIn(newStore(), { 'unseal-key': newUnsealKey() }, { files: failing })
  fails = true
  await failure(Unavailable, async () => vault.handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler)))
  await new Promise((resolve) => setTimeout(resolve, 1))
  assert.is(vault.failures.length, 1)
  fails = false
  await failure(Unavailable, async () => vault.handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler)))
  await vault.lifecycle.stop?.()
})

test('a segment that is full is followed by the next, named for its first record', async () => {
  const folder = await newFolder()
  const { chain } = await chainIn(folder)
  const long = 'x'.repeat(limits.auditField)
  const batch = Array.from({ length: 2_000 }, () => ({ kind: 'call', who: long, method: long, resource: long }) as const)
  for (let round = 0; round < 12; round++) await Promise.all(batch.map((entry) => chain.record(entry)))
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

test('the store of the vault knows how far the chain has come, and an end that is gone is said by the next start', async () => {
  const { store, folder, secrets, handlers } = await vaultWithAudit()
  for (let index = 0; index < 3; index++) {
    await handlers.putSecret({ path: 'verify-hub/s', value: `${index}` }, as(verifyHub))
  }
  const head = JSON.parse(new TextDecoder().decode((await store.get('core/audit-head/ood1'))!.value))
  const path = join(folder, '000000000001.jsonl')
  const lines = (await readFile(path, 'utf8')).split('\n')
  assert.equal(JSON.parse(lines[head.seq - 1]!).seq, head.seq)
  // As if the last but two had been the last
  await writeFile(path, `${lines.slice(0, head.seq - 2).join('\n')}\n`)
  const { said, lifecycle } = await vaultWithAudit(store, { secrets, folder })
  assert.ok(said.some((line) => line.includes('The end of the audit is gone')), said.join())
  const lost = (await recordsIn(folder)).find(({ kind }) => kind === 'lost')!
  assert.equal(lost.about, { from: head.seq - 1, to: head.seq, hash: head.hash })
  await lifecycle.stop?.()
  assert.equal(await faultsOf(folder), [`lost ${lost.seq}`])
})

test.run()
