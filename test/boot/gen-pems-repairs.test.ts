/** What is spoilt is made anew, and what is good stays. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pems } from '../../boot/etcd/names.ts'
import { configText, newFolder, openssl, PATH, pemsIn, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const folder = newFolder()
await pemsIn(folder)
const at = (...names: readonly string[]): string => join(folder, ...names)
const members = ['etcd-etcd1.example-2379', 'etcd-10.0.0.2-2379', 'etcd-fd00__3-2379']
const certificates = [
  ...members.map((name) =>
    ({ name: `pems/${name}/cert.pem`, key: `pems/${name}/private.key`, ca: pems.etcdAuthority })),
  { name: pems.etcdClient.certificate, key: pems.etcdClient.key, ca: pems.etcdAuthority },
  { name: pems.server.certificate, key: pems.server.key, ca: pems.root },
]

const spoilt: readonly (readonly [what: string, spoil: () => void, because: RegExp])[] = [
  ['a certificate that is missing', () => rmSync(at(pems.server.certificate)), /it was missing/],
  ['a key of this host that is missing', () => rmSync(at(pems.etcdClient.key)), /its key was missing/],
  ['a certificate that is cut short', () =>
    writeFileSync(at(pems.etcdClient.certificate), '-----BEGIN CERTIFICATE-----\nAA'), /it could not be used/],
  ['a key that others can read', () => chmodSync(at('pems', members[1]!, 'private.key'), 0o640),
    /its key could be read by others/],
  ['a certificate of another member', () => writeFileSync(at('pems', members[1]!, 'cert.pem'),
    readFileSync(at('pems', members[0]!, 'cert.pem'))), /it was for another key/],
  ['the pair of another member', () => {
    for (const name of ['cert.pem', 'private.key']) {
      writeFileSync(at('pems', members[1]!, name), readFileSync(at('pems', members[0]!, name)), { mode: 0o600 })
    }
  }, /it was for other names/],
]

for (const [what, spoil, because] of spoilt) {
  test(`${what} is made anew, and nothing else`, async () => {
    spoil()
    const { made, error } = await pemsIn(folder)
    assert.is(error?.message, undefined)
    const anew = made!.certificates.filter(({ held }) => held.made !== undefined)
    assert.is(anew.length, 1)
    assert.match(anew[0]!.held.made!, because)
    for (const { name, ca } of certificates) {
      assert.is(openssl('verify', '-x509_strict', '-CAfile', at(ca), '-untrusted', at(name), at(name)).status, 0, name)
    }
  })
}

test('a member that was handed its key keeps its certificate', async () => {
  rmSync(at('pems', members[0]!, 'private.key'))
  const { made } = await pemsIn(folder)
  assert.equal(made!.written, [])
  assert.not(existsSync(at('pems', members[0]!, 'private.key')))
  await pemsIn(folder, { renew: true })
  assert.ok(existsSync(at('pems', members[0]!, 'private.key')))
})

test('another member of etcd gets files of its own, and the others stay', async () => {
  const text = configText({ endpoints: ['https://etcd1.example:2379', 'https://etcd4.example:2379'] })
  const { made } = await pemsIn(folder, { config: { path: PATH, text } })
  assert.equal([...made!.written].sort(), ['ca.pem', 'cert.pem', 'private.key'].map((name) =>
    `pems/etcd-etcd4.example-2379/${name}`))
})

test.run()
