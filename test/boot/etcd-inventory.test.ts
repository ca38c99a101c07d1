/** What `recover etcd` has signed comes into the vault's inventory at its next start: once, and nothing else does. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { signAuthority } from '../../actors/vault/pki/make-authority.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { lastingAuthority, openExtract } from '../../actors/vault/recovery.ts'
import { pems } from '../../boot/etcd/names.ts'
import { recoverEtcd, type Recovered, type RecoverOptions } from '../../boot/etcd/recover.ts'
import { up } from '../../boot/up.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { configText, newFolder, PATH, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const YEAR = 365 * 86_400_000
const config = { path: PATH, text: configText({ endpoints: ['https://etcd1.example:2379', 'https://10.0.0.2:2379'] }) }

const template = newFolder()
await pemsIn(template, { config })
/** A folder as `gen pems` leaves it. */
function folderAfterPems(): string {
  const folder = newFolder()
  cpSync(template, folder, { recursive: true })
  return folder
}
const now = platform.clock.now()
const recover = (folder: string, options: Partial<RecoverOptions> = {}): Promise<Recovered> =>
  recoverEtcd({ platform, folder, config, onProgress() {}, ...options })
const text = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')
const unrecorded = (folder: string): readonly { role: string; pem: string }[] =>
  (JSON.parse(text(folder, pems.unrecorded)) as { certificates: { role: string; pem: string }[] }).certificates

test('what was signed without the vault is in its inventory after the next start, and once', async () => {
  const folder = folderAfterPems()
  const { certificates: made } = await recover(folder, { renew: true })
  const signed = made.map(({ held: { serial } }) => serial).sort()
  const serialsOf = async (): Promise<readonly string[]> => {
    const zone = await up({ platform, folder })
    const { certificates: found } = await zone.get(Vault).certificates({ mount: 'pki-etcd' })
    await zone.stop()
    return found.map(({ serial }) => serial)
  }
  const written = unrecorded(folder)
  const first = await pemsIn(folder, { config })
  assert.equal(first.made?.written, [])
  assert.not(existsSync(join(folder, pems.unrecorded)))
  const inventory = await serialsOf()
  assert.equal(signed.filter((serial) => !inventory.includes(serial)), [])
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: written }))
  await pemsIn(folder, { config })
  assert.is((await serialsOf()).length, inventory.length)
})

test('an authority that is not the vault’s own is not taken over, although the vault’s key has signed it', async () => {
  const folder = folderAfterPems()
  const { keys, random, clock } = platform
  const secrets = { 'unseal-key': text(folder, 'unseal.key').trim() }
  const { pki } = await openExtract(text(folder, pems.etcdSealed), secrets, { zone: 'zone.local', keys, random, clock })
  const { signer } = await pki.authorities.fresh()
  const { spki } = (await keys.certificates.generate('ec-p256', random)).public
  const subject = encodeName([{ type: 'CN', value: 'another' }])
  const der = signAuthority(pki.ports, { subject, spki, notAfter: now + YEAR }, signer!)
  const certificate = { role: 'member', pem: encodePem('CERTIFICATE', der) }
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: [certificate] }))
  const { error } = await pemsIn(folder, { config })
  assert.is(error?.code, 'InvalidArgument')
  assert.match(error!.message, /an authority that is not of this vault/)
})

test('a certificate of another authority is not taken into the inventory', async () => {
  const folder = folderAfterPems()
  const pem = text(folder, pems.server.certificate).split(/(?<=-----END CERTIFICATE-----\n)/)[0]!
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: [{ role: 'member', pem }] }))
  const { error } = await pemsIn(folder, { config })
  assert.is(error?.code, 'InvalidArgument')
  assert.match(error!.message, /by no authority of this vault/)
})

test('another certificate of the CA is the vault’s own after the next start', async () => {
  const folder = folderAfterPems()
  const { keys, random, clock } = platform
  const secrets = { 'unseal-key': text(folder, 'unseal.key').trim() }
  const { pki } = await openExtract(text(folder, pems.etcdSealed), secrets, { zone: 'zone.local', keys, random, clock })
  const { renewed } = await lastingAuthority(pki, 20 * YEAR)
  const certificate = { role: 'member', pem: renewed! }
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: [certificate] }))
  const { made } = await pemsIn(folder, { config })
  assert.is(text(folder, pems.etcdAuthority), renewed)
  assert.ok(made!.certificates.every(({ held }) => held.made === undefined), 'the same key: what it signed is good')
  const older = { role: 'member', pem: text(template, pems.etcdAuthority) }
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: [older] }))
  await pemsIn(folder, { config })
  assert.is(text(folder, pems.etcdAuthority), renewed, 'one that ends sooner changes nothing')
})

test.run()
