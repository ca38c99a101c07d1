/** `recover etcd`: certificates for etcd without etcd and without the vault, years later, by key file or by shares. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { memberNames, endpointOf, pems } from '../../boot/etcd/names.ts'
import { recoverEtcd, type Recovered, type RecoverOptions } from '../../boot/etcd/recover.ts'
import { up } from '../../boot/up.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { configText, newFolder, openssl, PATH, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const DAY = 86_400_000
const YEAR = 365 * DAY
const endpoints = ['https://etcd1.example:2379', 'https://10.0.0.2:2379']
const config = { path: PATH, text: configText({ endpoints }) }

const template = newFolder()
await pemsIn(template, { config })
/** A folder as `gen pems` leaves it. */
function folderAfterPems(): string {
  const folder = newFolder()
  cpSync(template, folder, { recursive: true })
  return folder
}

const clockAt = (ms: number): RecoverOptions['platform'] =>
  ({ ...platform, clock: { ...platform.clock, now: () => ms } })
const now = platform.clock.now()

const recover = (folder: string, options: Partial<RecoverOptions> = {}): Promise<Recovered> =>
  recoverEtcd({ platform, folder, config, onProgress() {}, ...options })

async function refusal(folder: string, options: Partial<RecoverOptions> = {}): Promise<ZonewrightError> {
  try {
    await recover(folder, options)
  } catch (error) {
    return error as ZonewrightError
  }
  throw new Error('It recovered')
}

const text = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')
const shares = (folder: string, ...numbers: readonly number[]): readonly string[] =>
  numbers.map((number) => text(folder, `recovery-shares/share-${number}.txt`).trim())
const certificates = [pems.etcdClient.certificate, ...endpoints.map((url) => memberNames(endpointOf(url)).certificate)]

function verify(folder: string, name: string, atMs: number): { readonly status: number | null; readonly text: string } {
  return openssl('verify', '-x509_strict', '-attime', String(Math.floor(atMs / 1000)),
    '-CAfile', join(folder, pems.etcdAuthority), join(folder, name))
}
const unrecorded = (folder: string): readonly { role: string; pem: string }[] =>
  (JSON.parse(text(folder, pems.unrecorded)) as { certificates: { role: string; pem: string }[] }).certificates

test('while they are good nothing is made', async () => {
  const folder = folderAfterPems()
  const { certificates: found } = await recover(folder)
  assert.equal(found.map(({ held }) => held.made), certificates.map(() => undefined))
  assert.not(existsSync(join(folder, pems.unrecorded)))
})

test('a year later, with everything ended, all are made anew by the same CA', async () => {
  const folder = folderAfterPems()
  const authority = text(folder, pems.etcdAuthority)
  const atMs = now + YEAR
  for (const name of certificates) assert.match(verify(folder, name, atMs).text, /certificate has expired/)
  const recovered = await recover(folder, { platform: clockAt(atMs) })
  assert.equal(recovered.certificates.map(({ held }) => held.made), certificates.map(() => 'it had ended'))
  assert.is(recovered.authorityRenewed, false)
  assert.is(text(folder, pems.etcdAuthority), authority)
  for (const name of certificates) assert.is(verify(folder, name, atMs).status, 0, verify(folder, name, atMs).text)
  assert.equal(unrecorded(folder).map(({ role }) => role), ['client', 'member', 'member'])
  const again = await recover(folder, { platform: clockAt(atMs) })
  assert.ok(again.certificates.every(({ held }) => held.made === undefined))
  assert.is(unrecorded(folder).length, 3)
})

test('after the end of the CA itself it gets another certificate for the same key, which lasts', async () => {
  const folder = folderAfterPems()
  const keyOf = (): string => openssl('x509', '-in', join(folder, pems.etcdAuthority), '-noout', '-pubkey').text
  const [key, sealed] = [keyOf(), text(folder, pems.etcdSealed)]
  const atMs = now + 11 * YEAR
  const recovered = await recover(folder, { platform: clockAt(atMs) })
  assert.is(recovered.authorityRenewed, true)
  assert.is(keyOf(), key)
  assert.is.not(text(folder, pems.etcdSealed), sealed)
  for (const name of certificates) assert.is(verify(folder, name, atMs).status, 0, verify(folder, name, atMs).text)
  for (const url of endpoints) {
    assert.is(text(folder, memberNames(endpointOf(url)).authority), text(folder, pems.etcdAuthority))
  }
  const later = await recover(folder, { platform: clockAt(atMs + DAY), renew: true })
  assert.is(later.authorityRenewed, false, 'the sealed file holds the new one')
})

test('three shares open it where the unseal key is lost, and no others do', async () => {
  const folder = folderAfterPems()
  rmSync(join(folder, 'unseal.key'))
  const none = await refusal(folder, { renew: true })
  assert.is(none.code, 'VaultSealed')
  assert.match(String(none.details['next']), /--shares/)
  const other = newFolder()
  await pemsIn(other, { config })
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ['two', shares(folder, 1, 2)], ['the same twice', shares(folder, 1, 1, 2)],
    ['of another vault', shares(other, 1, 2, 3)],
    ['one of another vault', [...shares(folder, 1, 2), ...shares(other, 3)]],
    ['not shares', ['x', 'y', 'z']], ['empty', []],
  ]
  for (const [what, given] of wrong) {
    const error = await refusal(folder, { renew: true, shares: given })
    assert.is(error.code, 'VaultSealed', what)
    assert.match(String(error.details['next']), /three different shares/)
    assert.not(given.some((share) => share.length > 5 && error.message.includes(share)), 'no share is told')
  }
  const { certificates: made } = await recover(folder, { renew: true, shares: shares(folder, 5, 2, 4) })
  assert.ok(made.every(({ held }) => held.made !== undefined))
  assert.not(existsSync(join(folder, 'unseal.key')), 'it writes no unseal key')
})

const damages: readonly (readonly [what: string, spoil: (path: string) => void, code: string])[] = [
  ['is missing', (path) => rmSync(path), 'PemsMissing'],
  ['is empty', (path) => writeFileSync(path, ''), 'FolderDamaged'],
  ['is cut short', (path) => writeFileSync(path, readFileSync(path).subarray(0, 700)), 'FolderDamaged'],
  ...['core/keyring', 'core/unseal/auto', 'pki-etcd/authorities'].map((entry) => [
    `has a changed byte in ${entry}`, (path: string) => {
      const extract = JSON.parse(readFileSync(path, 'utf8')) as { entries: Record<string, string> }
      const at = Math.floor(extract.entries[entry]!.length / 2)
      const other = extract.entries[entry]![at] === 'A' ? 'B' : 'A'
      extract.entries[entry] = extract.entries[entry]!.slice(0, at) + other + extract.entries[entry]!.slice(at + 1)
      writeFileSync(path, JSON.stringify(extract))
    }, 'VaultDamaged',
  ] as const),
  ['lacks the keyring', (path) => {
    const extract = JSON.parse(readFileSync(path, 'utf8')) as { entries: Record<string, string> }
    delete extract.entries['core/keyring']
    writeFileSync(path, JSON.stringify(extract))
  }, 'VaultDamaged'],
]
for (const [what, spoil, code] of damages) {
  test(`a sealed CA that ${what} is refused, and nothing is written`, async () => {
    const folder = folderAfterPems()
    spoil(join(folder, pems.etcdSealed))
    const before = readdirSync(join(folder, 'pems'), { recursive: true }).sort()
    const error = await refusal(folder, { renew: true })
    assert.is(error.code, code, error.message)
    assert.equal(readdirSync(join(folder, 'pems'), { recursive: true }).sort(), before)
  })
}

test('a folder without a zone is not begun, and one that is in use is left alone', async () => {
  const empty = newFolder()
  assert.is((await refusal(empty)).code, 'FolderDamaged')
  assert.equal(readdirSync(empty).filter((name) => !name.startsWith('lock')), [])
  const folder = folderAfterPems()
  const zone = await up({ platform, folder })
  assert.is((await refusal(folder)).code, 'FolderInUse')
  await zone.stop()
})

test.run()
