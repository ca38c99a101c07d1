/** What a host does without, once its stores are in etcd: it goes when that is right, and else it is said why not. */
import { existsSync, linkSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificatesIn } from '../../boot/etcd/certificates.ts'
import { withoutMemberKeys } from '../../boot/commands/etcd-lines.ts'
import { pemsLines } from '../../boot/commands/pems-lines.ts'
import { styleOf } from '../../boot/render.ts'
import type { Terminal } from '../../boot/terminal.ts'
import { removeDangerous, type Dangerous } from '../../boot/etcd/dangerous.ts'
import { endpointOf, memberNames } from '../../boot/etcd/names.ts'
import type { Shown } from '../../boot/etcd/reach.ts'
import type { GivenOwnerKey } from '../../boot/grow.ts'
import { configText, newFolder, PATH, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const urls = ['https://etcd1.example:2379', 'https://etcd2.example:2379', 'https://etcd3.example:2379'] as const
const [first, second, third] = urls
const keyOf = (url: string): string => memberNames(endpointOf(url)).key

async function zone(keep: boolean) {
  const folder = newFolder()
  const { made } = await pemsIn(folder, { config: { path: PATH, text: configText({ endpoints: urls, keep }) } })
  const { files, config } = made!
  const certificate = (url: string): Uint8Array =>
    certificatesIn(readFileSync(join(folder, memberNames(endpointOf(url)).certificate), 'utf8'))[0]!.raw
  const remove = (shown: ReadonlyMap<string, Shown>, ownerKey?: GivenOwnerKey): Promise<Dangerous> =>
    removeDangerous({ files, keys: platform.keys, config, shown, ownerKey })
  const lines = pemsLines({ colours: false, invocation: 'zonewright' } as Terminal, made!, { folder })
  return { folder, certificate, remove, lines: lines.join('\n'), has: (name: string) => existsSync(join(folder, name)) }
}
const whyKept = ({ kept }: Dangerous, name: string): string => kept.find((each) => each.name === name)?.why ?? ''

test('kept files are kept, all of them, and it is said which', async () => {
  const { certificate, remove, has } = await zone(true)
  const told = await remove(new Map(urls.map((url) => [url, { certificate: certificate(url), isHere: false }])))
  assert.equal(told.removed, [])
  assert.is(told.kept.length, 5 + urls.length + 1)
  assert.ok(told.kept.every(({ name, why }) => has(name) && why === 'keep_dangerous_files is true'))
})

test('a member that shows its certificate has its key; one that does not, or is here, keeps it here', async () => {
  const { certificate, remove, has } = await zone(false)
  const told = await remove(new Map<string, Shown>([
    [first, { certificate: certificate(first), isHere: false }],
    [second, { certificate: certificate(first), isHere: false }],
  ]))
  assert.not(has(keyOf(first)))
  assert.ok(has(keyOf(second)) && has(keyOf(third)))
  assert.match(whyKept(told, keyOf(second)), /shows another certificate/)
  assert.match(whyKept(told, keyOf(third)), /did not answer/)
  assert.equal(told.memberKeys, [keyOf(first)])
  const local = await remove(new Map([[second, { certificate: certificate(second), isHere: true }]]))
  assert.ok(has(keyOf(second)))
  assert.match(whyKept(local, keyOf(second)), /is on this machine/)
  assert.equal(local.memberKeys, [])
  assert.not(has('recovery-shares/share-1.txt'))
  assert.ok(has('unseal.key'), 'each start needs it')
})

test('who starts is told which keys of members have gone, what needs a copy, and how to keep them', async () => {
  const { folder, certificate, remove, has } = await zone(false)
  const { memberKeys } = await remove(new Map([[first, { certificate: certificate(first), isHere: false }]]))
  const lines = withoutMemberKeys(memberKeys, folder, styleOf(false))
  assert.match(lines[0]!, /^warning: keys of members of etcd were removed/)
  assert.ok(lines.includes(`  ${folder}/${keyOf(first)}`) && !has(keyOf(first)))
  assert.not.ok(lines.some((line) => line.includes(keyOf(second))))
  assert.match(lines.join('\n'), /needs a copy of its own[^]*gen pems --renew/)
  const [, told = ''] = /the config says: tls_config: (.*)/.exec(lines.join('\n')) ?? []
  assert.is(told, '{ enable: true, keep_dangerous_files: true }')
  assert.ok(lines.every(({ length }) => length <= 120 + folder.length))
  assert.equal(withoutMemberKeys([], folder, styleOf(false)), [])
})

test('`gen pems` says which files go, and how they stay', async () => {
  const { lines } = await zone(false)
  assert.match(lines, /reads its key in this very folder[^]*keep_dangerous_files: true/)
  assert.not.match((await zone(true)).lines, /very folder/)
})

test('the owner key goes only where another copy of it was given', async () => {
  const { folder, remove, has } = await zone(false)
  const own = join(folder, 'owner.key')
  const pem = readFileSync(own, 'utf8')
  assert.match(whyKept(await remove(new Map()), 'owner.key'), /may be the only one/)
  symlinkSync(own, join(folder, 'link.key'))
  linkSync(own, join(folder, 'second-name.key'))
  for (const path of [own, join(folder, 'link.key'), join(folder, 'second-name.key'), `${folder}/./owner.key`]) {
    assert.match(whyKept(await remove(new Map(), { path, pem }), 'owner.key'), /may be the only one/, path)
  }
  assert.match(whyKept(await remove(new Map(), { path: '/mnt/owner.key', pem }), 'owner.key'), /not there any more/)
  const other = platform.keys.generate(platform.random).exportPem()
  assert.match(whyKept(await remove(new Map(), { path: '/mnt/owner.key', pem: other }), 'owner.key'), /is not a copy/)
  const encrypted = platform.keys.importPem(pem).exportPem('a passphrase')
  assert.match(whyKept(await remove(new Map(), { path: '/mnt/owner.key', pem: encrypted }), 'owner.key'), /not a copy/)
  assert.ok(has('owner.key'))
  writeFileSync(join(folder, 'elsewhere.key'), pem)
  const told = await remove(new Map(), { path: join(folder, 'elsewhere.key'), pem })
  assert.ok(told.removed.includes('owner.key'))
  assert.not(has('owner.key'))
  renameSync(join(folder, 'elsewhere.key'), own)
})

test.run()
