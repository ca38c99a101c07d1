/** What one backup may hold: what is as large as allowed is read, what is larger is refused. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  decodeManifest, encodeManifest, manifestPath, newManifest, type ManifestFile,
} from '../../boot/backup/manifest.ts'
import { readBackup } from '../../boot/backup/read.ts'
import { tarEnd, tarHeader, tarPadding } from '../../boot/backup/tar.ts'
import { progressLines } from '../../boot/commands/backup.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'

const test = suite('limits of a backup')

const sha256 = '0'.repeat(64)
const file = (path: string, bytes = 1): ManifestFile => ({ path, bytes, sha256 })
const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'read'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** Of a manifest with these files and logs. */
const decoded = (files: readonly ManifestFile[], logs: readonly ManifestFile[] = []): string =>
  codeOf(() => decodeManifest(encodeManifest(newManifest({
    zone: 'z1', host: 'ood1', epoch: 0, madeAtMs: 1, keys: false, oneMoment: true, files: [...files, ...logs],
    stores: logs.map(({ path }) => ({ path, id: 'x', revision: 1, records: 1 })),
  }))))
const many = (count: number, bytes: number): ManifestFile[] =>
  Array.from({ length: count }, (_, index) => file(`nodes/node${index}/identity.json`, bytes))

test('as many files as the limit, and one more', () => {
  assert.is(decoded(many(limits.backupFiles, 1)), 'read')
  assert.is(decoded(many(limits.backupFiles + 1, 1)), 'BackupDamaged')
})

test('a file that is no store of as many bytes as the limit, and of one more', () => {
  assert.is(decoded([file('identity.json', limits.backupFileBytes)]), 'read')
  assert.is(decoded([file('identity.json', limits.backupFileBytes + 1)]), 'BackupDamaged')
})

test('files that are no stores of as many bytes together as the limit, and of one more', () => {
  const most = limits.backupFilesBytes / limits.backupFileBytes
  assert.is(decoded(many(most, limits.backupFileBytes)), 'read')
  assert.is(decoded([...many(most, limits.backupFileBytes), file('zone.yaml')]), 'BackupDamaged')
})

test('a log of as many bytes as the limit, and of one more', () => {
  assert.is(decoded([], [file('stores/vault/log.1', limits.backupLogBytes)]), 'read')
  assert.is(decoded([], [file('stores/vault/log.1', limits.backupLogBytes + 1)]), 'BackupDamaged')
})

test('a manifest of as many bytes as the limit is looked at, one with one more is refused before it is', async () => {
  const platform = await openPlatform()
  const outcome = async (bytes: number): Promise<string> => {
    async function* archive(): AsyncGenerator<Uint8Array> {
      yield tarHeader(manifestPath, bytes, 1)
      yield new Uint8Array(bytes).fill(0x20)
      yield tarPadding(bytes)
      yield tarEnd()
    }
    return readBackup(archive(), { platform } as never).then(() => 'read', (error: Error) => error.message)
  }
  assert.match(await outcome(limits.backupManifestBytes), /its manifest is not one of Zonewright/)
  const refused = await outcome(limits.backupManifestBytes + 1)
  assert.match(refused, /damaged/)
  assert.not.match(refused, /its manifest is not one of/)
})

test('progress is told once in so many milliseconds', () => {
  const told: string[] = []
  let now = 0
  const terminal = { error: (line: string) => void told.push(line) } as never
  const progress = progressLines(terminal, () => now, {})
  for (; now < 3 * limits.backupProgressMs; now += 100) progress({ phase: 'reading', bytes: now, of: 10_000 } as never)
  assert.is(told.length, 2)
})

test.run()
