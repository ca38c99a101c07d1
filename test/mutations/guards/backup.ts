/** Backups and restores. */
import { guardsOf, type Guard } from '../guard.ts'

export const backup: readonly Guard[] = [
  ...guardsOf('boot/backup/age.ts', 'test/backup-damage.test.ts',
    [
      'a passphrase is asked for', 'if (passphrase === undefined) {',
      'if (passphrase === undefined) return { encrypted: true, pieces: all }\n  if (passphrase === undefined) {',
      'what is given wrongly beside it is refused, and no folder is made',
    ],
  ),
  ...guardsOf('boot/backup/contents.ts', 'test/backup-damage.test.ts',
    [
      'keys are in encrypted backups only', 'isPath(path) && (keys || !isKey(path))', 'isPath(path)',
      'what is given wrongly beside it is refused, and no folder is made',
    ],
  ),
  ...guardsOf('boot/backup/contents.ts', 'test/boot/backup-guards.test.ts',
    [
      'a zone that has not booted is no backup', 'if (!names.has(file.identity) || !names.has(file.booted)) {',
      'if (!names.has(file.identity)) {', 'a folder whose zone has not booted is not backed up',
    ],
  ),
  ...guardsOf('boot/backup/create.ts', 'test/backup-damage.test.ts',
    [
      'a backup is not put into the zone', 'if (within(folder, path)) {', 'if (false) {',
      'a backup is refused where it would be lost or take the place of another file',
    ],
  ),
  ...guardsOf('boot/backup/manifest.ts', 'test/backup-damage.test.ts',
    [
      'a path of a backup stays in its folder',
      'const wrong = files.find(({ path, bytes }) => !isPath(path) || bytes > bytesMax(path))',
      'const wrong = files.find(({ path, bytes }) => bytes > bytesMax(path))',
      'a forger without the key of the device gets nothing in, and one with it no file outside',
    ],
    [
      'a manifest names a file once', 'if (new Set(files.map(({ path }) => path)).size < files.length) throw',
      'if (false) throw', 'a tar with links, folders, duplicates, unnamed or missing files is refused',
    ],
    [
      'the owner key is in no backup', 'return node === undefined ? ownFiles.has(name) : isHostFile(name)',
      "return name !== ''", 'a forger without the key of the device gets nothing in, and one with it no file outside',
    ],
    [
      'a newer format is refused', "if (typeof value.version === 'number' && value.version > formatVersion) {",
      'if (false) {', 'declared sizes and versions are judged before anything is read',
    ],
  ),
  ...guardsOf('boot/backup/manifest.ts', 'test/boot/backup-guards.test.ts',
    [
      'a store has one log', 'if (new Set(logs.map(storeOf)).size < logs.length) throw', 'if (false) throw',
      'a manifest has one log of each store',
    ],
  ),
  ...guardsOf('boot/backup/manifest.ts', 'test/limits/backup.test.ts',
    [
      'a file of a backup is not too large',
      'const wrong = files.find(({ path, bytes }) => !isPath(path) || bytes > bytesMax(path))',
      'const wrong = files.find(({ path }) => !isPath(path))',
      'a file that is no store of as many bytes as the limit, and of one more',
    ],
  ),
  ...guardsOf('boot/backup/read.ts', 'test/backup-damage.test.ts',
    [
      'a file of a backup has its digest', 'if (digest.hex() !== each.sha256) throw', 'if (false) throw',
      'a file whose contents are not those of the manifest is refused, also where nothing else would tell',
    ],
    [
      'files of a backup come in order', 'if (value.path !== path) throw', 'if (false) throw',
      'a tar with links, folders, duplicates, unnamed or missing files is refused',
    ],
    [
      'a backup has no other files', 'if (!(await entries.next()).done) throw', 'if (false) throw',
      'cut short anywhere it is refused as damaged',
    ],
    [
      'the manifest is signed by the device', 'if (!verdict.accepted) throw damaged(`the signature',
      'if (!verdict.accepted) return\n  if (false) throw damaged(`the signature',
      'with one bit changed anywhere it is refused',
    ],
    [
      'a store of a backup is whole', 'if (scan.bytes !== bytes) throw', 'if (false) throw',
      'stores and documents of another zone do not pass, whoever signed the manifest',
    ],
    [
      'a store of a backup is the one of its manifest',
      'if (said?.id !== state.id || said.revision !== state.revision || said.records !== scan.records) {',
      'if (false) {', 'stores and documents of another zone do not pass, whoever signed the manifest',
    ],
  ),
  ...guardsOf('boot/backup/restore.ts', 'test/backup-damage.test.ts',
    [
      'a restore writes over nothing', 'if (names.length === 0) return false\n', 'return false\n',
      'what is given wrongly beside it is refused, and no folder is made',
    ],
    [
      'a restore needs the owner key', 'if (owner.public.kid === thumbprint(keys, zone.root)) return', 'return',
      'what is given wrongly beside it is refused, and no folder is made',
    ],
    [
      'a restore needs the key of the vault', 'await assertUnseals(platform, state, unsealKeyOf(options, files))',
      'unsealKeyOf(options, files)', 'what is given wrongly beside it is refused, and no folder is made',
    ],
    [
      'a key that is given is of a host of the zone',
      'const stranger = deviceKeys.find((key) => ![...given.values()].includes(key))',
      'const stranger = undefined as SigningKey | undefined',
      'what is given wrongly beside it is refused, and no folder is made',
    ],
  ),
  ...guardsOf('boot/backup/tar.ts', 'test/backup-damage.test.ts',
    [
      'a tar holds files only', 'if (type !== regular) throw', 'if (false) throw',
      'a tar with links, folders, duplicates, unnamed or missing files is refused',
    ],
    [
      'a tar header is as it was written', 'if (!block.every((byte, index) => byte === written[index])) throw',
      'if (false) throw', 'with one bit changed anywhere it is refused',
    ],
    [
      'nothing stands behind a tar', 'if (!await bytes.atEnd()) throw', 'if (false) throw',
      'something behind its end is refused',
    ],
    [
      'padding of a tar is empty', 'if (!isZero(await bytes.exactly(paddingOf(size)))) throw',
      'if (!await bytes.exactly(paddingOf(size))) throw', 'with one bit changed anywhere it is refused',
    ],
  ),
  ...guardsOf('boot/backup/zone.ts', 'test/backup-damage.test.ts',
    [
      'a backup is of the store that was booted', 'assertSameStore(found, store, configStore)', 'void assertSameStore',
      'stores and documents of another zone do not pass, whoever signed the manifest',
    ],
  ),
  ...guardsOf('boot/backup/zone.ts', 'test/boot/backup-guards.test.ts',
    [
      'a backup is of one zone', 'if (config.zone !== zone.zone) throw', 'if (false) throw',
      'all of a backup is of one zone, of one owner key, of one host and of the store that was booted',
    ],
    [
      'a backup is under one owner key', 'if (thumbprint(keys, config.root) !== thumbprint(keys, zone.root)) {',
      'if (false) {', 'all of a backup is of one zone, of one owner key, of one host and of the store that was booted',
    ],
    [
      'the device key of a backup is that of its document', 'if (key.public.jwk.x === device.key.x) return key',
      'return key', 'the device key is the one that the device document names',
    ],
    [
      'the documents of a backup are of one host', 'if (device.name !== zone.host) throw', 'if (false) throw',
      'all of a backup is of one zone, of one owner key, of one host and of the store that was booted',
    ],
  ),
]
