import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { Denied, DiskFull, Unavailable } from '../../runtime/errors.ts'
import { diskFull } from '../../runtime/platform/disk-full.ts'
import { openFolder } from '../../runtime/platform/files.ts'
import type { Files } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { faultsOf, newFolder, recordsIn, removeFolders, verified } from './audit-fixture.ts'
import {
  as, bootScheduler, failure, kernelPeer, newStore, newUnsealKey, startIn, supervisor, verifyHub,
} from './vault-fixture.ts'

test.after(removeFolders)

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

test('the store knows how far the chain has come, and the next start says of an end that is gone', async () => {
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
