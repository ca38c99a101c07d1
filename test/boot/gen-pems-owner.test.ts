/** What `gen pems` needs the owner key for, and what it does to a zone that is there. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pems } from '../../boot/etcd/names.ts'
import { up } from '../../boot/up.ts'
import { newFolder, pemsIn, picture, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const folder = newFolder()
await pemsIn(folder)
const at = (...names: readonly string[]): string => join(folder, ...names)

test('the owner key signs from where it is kept, by its passphrase, and without it nothing is begun', async () => {
  const own = newFolder()
  const ownerPassphrase = 'a passphrase of the owner'
  await pemsIn(own, { ownerPassphrase })
  rmSync(join(own, pems.anchor))
  const path = join(own, 'kept-elsewhere.key')
  renameSync(join(own, 'owner.key'), path)
  const missing = await pemsIn(own)
  assert.is(missing.error?.code, 'OwnerKeyNeeded')
  assert.match(missing.error!.message, /the owner key is not here/)
  const given = { path, pem: readFileSync(path, 'utf8') }
  assert.is((await pemsIn(own, { ownerKey: given })).error?.code, 'OwnerKeyNeeded')
  const theirs = { path, pem: readFileSync(at('owner.key'), 'utf8') }
  assert.match((await pemsIn(own, { ownerKey: theirs })).error!.message, /This is not the owner key of zone\.local/)
  assert.equal((await pemsIn(own, { ownerKey: given, ownerPassphrase })).made?.written, [pems.anchor])
})

test('an anchor document of another zone, or of another key, is signed anew', async () => {
  const other = newFolder()
  await pemsIn(other)
  const own = readFileSync(at(pems.anchor), 'utf8')
  for (const spoilt of [readFileSync(join(other, pems.anchor), 'utf8'), own.slice(0, -8), '']) {
    writeFileSync(at(pems.anchor), spoilt)
    const { made } = await pemsIn(folder)
    assert.equal(made!.written, [pems.anchor])
  }
})

test('a zone that has booted on files gets certificates without losing anything', async () => {
  const own = newFolder()
  const zone = await up({ platform, folder: own })
  await zone.stop()
  const before = picture(own)
  const { made, error } = await pemsIn(own)
  assert.is(error?.message, undefined)
  assert.is(made!.identity.created, false)
  const after = picture(own)
  for (const name of Object.keys(before)) assert.is(after[name], before[name], name)
  const again = await up({ platform, folder: own })
  assert.is(again.secondBoot, true)
  await again.stop()
})

test.run()
