/** Each known defect of the originals is impossible here: the table names the test that says so, and it is there. */
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { defects } from './defects-table.ts'

const sources = (): readonly { path: string; text: string }[] => ['runtime', 'transport', 'actors', 'boot']
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }))

test('the test of each defect is there, under its name', () => {
  const absent = defects.filter(({ file, test: name }) => {
    const text = readFileSync(file, 'utf8')
    return !["'", '`', '"'].some((quote) => text.includes(`${quote}${name}`))
  })
  assert.equal(absent.map(({ file, test: name }) => `${file}: ${name}`), [])
})

test('tables that it names are gone through by a test', () => {
  const tables = [...new Set(defects.map(({ file }) => file).filter((file) => !file.endsWith('.test.ts')))]
  assert.equal(tables, ['test/attack-table.ts'])
  for (const user of ['test/runtime/trust-attacks.test.ts', 'test/attack-http.test.ts']) {
    assert.match(readFileSync(user, 'utf8'), /attacksOn\(/)
  }
})

test('each defect is told in one line, once, with what is tried and what comes of it', () => {
  assert.ok(defects.length >= 50)
  assert.is(new Set(defects.map(({ defect }) => defect)).size, defects.length)
  for (const each of defects) for (const text of Object.values(each)) assert.ok(text.length > 0 && !text.includes('\n'))
})

test('one function checks tokens, and nothing else reads a signature of one', () => {
  const files = sources()
  const where = (pattern: RegExp): string[] =>
    files.filter(({ text }) => pattern.test(text)).map(({ path }) => path).sort()
  // What reads a signature at all: tokens, documents, link certificates, handshakes, frames and words on them
  const certificates = (path: string): boolean => /^(runtime\/x509|actors\/vault\/pki|boot\/sim\/years)\//.test(path)
  assert.equal(where(/\.verify\((?!\))/).filter((path) => !certificates(path)), [
    // What a device key says of a join; revocation lists that are told to hosts; a rekey's nonce with a share; the
    // certificates of etcd in a folder
    'actors/join-ood-protocol.ts', 'actors/join-protocol.ts', 'actors/uplink/revocations.ts',
    'actors/vault/http/sys/rekey.ts', 'actors/vault/recovery.ts',
    'runtime/actor-host.ts', 'runtime/link/certificate.ts', 'runtime/link/handshake.ts', 'runtime/link/seal.ts',
    // Keys that cost less, for the simulator
    'runtime/sim/cheap-keys.ts',
    'runtime/trust/keys.ts', 'runtime/trust/verify.ts',
    // The next certificate of a tunnel's end, by its key
    'transport/tunnel/renew.ts',
  ])
  assert.equal(where(/from 'jose'/), [])
  // Rules of the matrix go to that function and nowhere else; `verifySudo` is verify-hub's one call of it with a ledger
  const askers = where(/\b(?:rulesFor|onlyUse)\(/).filter((path) => ![
    // The rules themselves, and what prints them
    'actors/trust-matrix.ts', 'boot/commands/trust-tables.ts',
  ].includes(path))
  assert.equal(askers.filter((path) => !/\bverify(?:Token|TokenSync|Sudo)\(/.test(readFileSync(path, 'utf8'))), [])
  assert.ok(askers.length >= 4)
})

test.run()
