/** Two files that belong together are replaced together, wherever that is cut short. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readPair, writePair } from '../../boot/etcd/pair.ts'
import { openPlatform } from '../../runtime/platform/index.ts'

const platform = await openPlatform()
const folder = mkdtempSync(join(tmpdir(), 'zonewright-pair-'))
const files = await platform.host.openFolder(folder)
test.after(() => rmSync(folder, { recursive: true, force: true }))

const names = { certificate: 'cert.pem', key: 'private.key' }
const [old, fresh] = [{ certificate: 'old cert', key: 'old key' }, { certificate: 'new cert', key: 'new key' }]

test.before.each(async () => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  await writePair(files, names, old)
})

test('a pair is read as it was written, the key for this user alone, and nothing stays beside it', async () => {
  assert.equal(await readPair(files, names), old)
  await writePair(files, names, fresh)
  assert.equal(await readPair(files, names), fresh)
  assert.equal(readdirSync(folder).sort(), ['cert.pem', 'private.key'])
  assert.is(statSync(join(folder, 'private.key')).mode & 0o777, 0o600)
})

/** What a replacement leaves that was ended at each of its steps. */
const left: readonly (readonly [what: string, leave: () => void, expected: typeof old])[] = [
  ['after the new key', () => writeFileSync(join(folder, 'private.key.next'), fresh.key), old],
  ['after both new files', () => {
    writeFileSync(join(folder, 'private.key.next'), fresh.key)
    writeFileSync(join(folder, 'cert.pem.next'), fresh.certificate)
  }, fresh],
  ['after the key is in its place', () => {
    writeFileSync(join(folder, 'private.key'), fresh.key)
    writeFileSync(join(folder, 'cert.pem.next'), fresh.certificate)
  }, fresh],
]
for (const [what, leave, expected] of left) {
  test(`ended ${what}, it is the one pair or the other`, async () => {
    leave()
    assert.equal(await readPair(files, names), expected)
    assert.equal(await readPair(files, names), expected)
    await writePair(files, names, fresh)
    assert.equal(await readPair(files, names), fresh)
    assert.equal(readdirSync(folder).sort(), ['cert.pem', 'private.key'])
  })
}

test('a new key is never taken with the certificate of another attempt', async () => {
  for (const name of ['private.key.next', 'cert.pem.next']) writeFileSync(join(folder, name), 'another attempt')
  const dying = { ...files, async write(...args: Parameters<typeof files.write>) {
    if (args[0] === 'cert.pem.next') throw new Error('ended here')
    await files.write(...args)
  } }
  await writePair(dying, names, fresh).catch(() => {})
  assert.equal(await readPair(files, names), old)
  await writePair(files, names, fresh)
  assert.equal(await readPair(files, names), fresh)
})

test('without a certificate there is no pair, and without a key it says so', async () => {
  rmSync(join(folder, 'private.key'))
  assert.equal(await readPair(files, names), { certificate: old.certificate, key: undefined })
  rmSync(join(folder, 'cert.pem'))
  assert.is(await readPair(files, names), undefined)
})

test.run()
