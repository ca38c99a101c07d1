/** A file that is written where it is not as it is to be. */
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { putFile } from '../../boot/etcd/put.ts'
import { openFolder } from '../../runtime/platform/files.ts'

const folder = mkdtempSync(join(tmpdir(), 'zonewright-put-'))
test.after(() => rmSync(folder, { recursive: true }))
const modeOf = (name: string): number => statSync(join(folder, name)).mode & 0o777

test('what is there is not written again, also where a umask has left less of its mode', async () => {
  const files = await openFolder(folder)
  const before = process.umask(0o077)
  try {
    assert.equal([await putFile(files, 'root.pem', 'text', 0o644), modeOf('root.pem')], [true, 0o600])
    assert.is(await putFile(files, 'root.pem', 'text', 0o644), false)
  } finally {
    process.umask(before)
  }
})

test('what others could read, and what has another text, is written again', async () => {
  const files = await openFolder(folder)
  await putFile(files, 'ca.sealed', 'text', 0o600)
  chmodSync(join(folder, 'ca.sealed'), 0o640)
  assert.equal([await putFile(files, 'ca.sealed', 'text', 0o600), modeOf('ca.sealed')], [true, 0o600])
  assert.is(await putFile(files, 'ca.sealed', 'text', 0o600), false)
  assert.is(await putFile(files, 'ca.sealed', 'other text', 0o600), true)
})

test.run()
