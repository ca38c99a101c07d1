/** Certificates and authorities by the command line: shown, revoked and replaced, by who may. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Vault } from '../actors/vault/protocol.ts'
import { keepEndpoint } from '../boot/endpoint.ts'
import { urlOf } from '../boot/address.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { signRequest } from '../runtime/x509/csr.ts'
import { encodeName } from '../runtime/x509/name.ts'
import { encodePem } from '../runtime/x509/pem.ts'
import { newFolder, objectOf, removeFolders, start, zonewright, type Failure } from './boot-fixtures/command-line.ts'

const DAY = 86_400_000
const cwd = newFolder()
let platform: Platform
let zone: RunningZone
let serial = ''

const run = (...words: readonly string[]) => start([...zonewright, ...words], { cwd }).ended
const where = () => ['--dir', 'zone']
async function json(...words: readonly string[]): Promise<Record<string, unknown>> {
  const ended = await run(...words, ...where(), '--json')
  assert.is(ended.exitCode, 0, `${words.join(' ')}: ${ended.stderr}`)
  return objectOf(ended)
}
async function fails(exitCode: number, ...words: readonly string[]): Promise<Failure> {
  const ended = await run(...words, ...where(), '--json')
  assert.is(ended.exitCode, exitCode, `${words.join(' ')}: ${ended.stdout}${ended.stderr}`)
  return (objectOf(ended)['error'] ?? {}) as Failure
}
const OWNER = ['--owner-key', 'zone/owner.key', '--yes']

async function issue(ttl: number): Promise<{ serial: string; certificate: string }> {
  const key = await platform.keys.certificates.generate('ec-p256', platform.random)
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject: encodeName([]), names: [] }, key))
  return zone.get(Vault).signCertificate({ mount: 'pki', role: 'ood', csr, ttl })
}

test.before(async () => {
  platform = await openPlatform()
  zone = await up({ platform, folder: join(cwd, 'zone') })
  const { kid } = platform.keys.importJwk(zone.identity.zone.root)
  await keepEndpoint(zone, { root: kid, pid: process.pid, startedAt: platform.clock.now() }, (hostname, port) =>
    `http://${hostname}:${port}/`)
  const { password = '' } = await zone.firstPassword() ?? {}
  writeFileSync(join(cwd, 'password'), `${password}\n`, { mode: 0o600 })
  await json('login', '--password-file', 'password')
  await zone.get(Vault).ensureAuthorities({})
  serial = (await issue(20 * 86_400)).serial
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await look()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`It did not happen: ${what}`)
}

interface Entry { readonly serial: string; readonly state: string; readonly mount: string; readonly holder: string }
const listed = async (...words: readonly string[]): Promise<readonly Entry[]> =>
  (await json('certs', ...words))['certificates'] as Entry[]

test('an admin sees what there is and who holds it, the first to end first', async () => {
  const soon = await issue(86_400)
  const found = await listed()
  assert.equal(found.filter(({ mount }) => mount === 'pki').map((each) => [each.serial, each.state, each.holder])
    .toSorted(), [[serial, 'valid', 'supervisor@ood1'], [soon.serial, 'valid', 'supervisor@ood1']].toSorted())
  assert.equal((await listed('list', '--expiring', '3d')).map((each) => each.serial), [soon.serial])
  assert.equal(await listed('list', '--mount', 'pki-etcd'), [])
  const text = await run('certs', ...where())
  assert.match(text.stdout, /ends in +state +where +subject/)
  assert.ok(text.stdout.indexOf(soon.serial.slice(0, 8)) < text.stdout.indexOf(serial.slice(0, 8)))
  const shown = await json('certs', 'show', serial.replaceAll(':', '').toUpperCase())
  assert.equal([shown['serial'], String(shown['pem']).startsWith('-----BEGIN CERTIFICATE-----')], [serial, true])
  assert.is((await fails(20, 'certs', 'show', '01:02')).code, 'NotFound')
  assert.is((await fails(2, 'certs', 'show', 'xyz')).code, 'Usage')
})

test('with --check the exit code says that something ends before long, for a script', async () => {
  const failure = await run('certs', 'list', '--check', ...where())
  assert.is(failure.exitCode, 50)
  assert.match(failure.stderr, /end within 14 d/)
  assert.is((await run('certs', 'list', '--check', '--expiring', '1h', ...where())).exitCode, 0)
  assert.is((await fails(2, 'certs', '--expiring', 'soon')).code, 'Usage')
})

test('files of the zone’s folder are listed beside the inventory, with their own end', async () => {
  const { certificate } = await issue(5 * 86_400)
  mkdirSync(join(cwd, 'zone/pems/etcd-host-2379'), { recursive: true })
  writeFileSync(join(cwd, 'zone/pems/etcd-client.pem'), certificate)
  writeFileSync(join(cwd, 'zone/pems/etcd-host-2379/cert.pem'), certificate)
  writeFileSync(join(cwd, 'zone/pems/etcd-client.key'), 'no certificate')
  writeFileSync(join(cwd, 'zone/pems/broken.pem'), 'no certificate')
  const files = (await json('certs'))['files'] as { path: string; notAfter: number; inInventory: boolean }[]
  assert.equal(files.map(({ path, inInventory }) => [path, inInventory]),
    [['pems/etcd-client.pem', true], ['pems/etcd-host-2379/cert.pem', true]])
  const left = (files[0]!.notAfter - platform.clock.now()) / DAY
  assert.ok(left > 4.9 && left <= 5, String(left))
})

test('a session alone revokes nothing and steps nothing; sudo and the owner key may', async () => {
  const usage = await fails(2, 'certs', 'revoke', serial)
  assert.match(`${usage.next}`, /sudo certs revoke .*--owner-key FILE/)
  await json('users', 'key', 'owner', ...OWNER)
  const by = await json('sudo', 'certs', 'revoke', serial, '--reason', 'superseded')
  assert.equal([by['serial'], by['mount']], [serial, 'pki'])
  assert.equal((await listed('list', '--all')).filter((each) => each.serial === serial).map(({ state }) => state),
    ['revoked'])
  const other = await issue(86_400)
  const revoked = await json('certs', 'revoke', other.serial, ...OWNER)
  assert.ok(Number(revoked['revokedAt']) > 0)
  assert.is((await json('certs', 'revoke', other.serial, ...OWNER))['revokedAt'], revoked['revokedAt'])
  await until('the metrics tell of it', async () => {
    const text = await (await fetch(new URL('/metrics', urlOf(zone.address)))).text()
    const [, end] = /zonewright_certificate_expiry_seconds\{[^}]*mount="pki",role="ood"\} (\d+)/.exec(text) ?? []
    return /zonewright_certificates\{[^}]*mount="pki",state="revoked"\} 2/.test(text)
      && Number(end) * 1_000 > platform.clock.now() && /zonewright_vault_sealed\{[^}]*\} 0/.test(text)
      && /zonewright_crl_expiry_seconds\{[^}]*\} \d+/.test(text)
  })
  const status = await json('status')
  assert.equal([status['healthy'], (status['certificates'] as { valid: number }).valid >= 1], [true, true])
})

test('ca shows what comes next, and its steps are taken in order or not at all', async () => {
  interface Authority { readonly mount: string; readonly kind: string; readonly state: string }
  const states = (told: Record<string, unknown>, mount = 'pki') => (told['authorities'] as Authority[])
    .filter((each) => each.mount === mount).map(({ kind, state }) => `${kind} ${state}`)
  const before = await json('ca')
  assert.equal(states(before), ['root active', 'intermediate active'])
  assert.equal(states(before, 'pki-etcd'), ['root active'])
  const early = await fails(25, 'ca', 'activate', 'pki', ...OWNER)
  assert.match(early.message, /the next step is: prepare/)
  const told = await json('ca', 'rotate', 'pki', ...OWNER)
  assert.equal(states(told), ['root active', 'intermediate active', 'intermediate next'])
  assert.equal(states(await json('sudo', 'ca', 'activate', 'pki')),
    ['root active', 'intermediate active', 'intermediate active'])
  assert.equal(states(await json('sudo', 'ca', 'prepare', 'pki', '--root')).at(-1), 'root next')
  const text = await run('ca', ...where())
  assert.match(text.stdout, /mount +kind +state +ends in/)
  assert.match(text.stdout, /takes the step \w+ by itself/)
})

test('an ordinary user sees no certificate, and who is logged in nowhere is told to log in', async () => {
  await json('sudo', 'users', 'add', 'bob', '--password-file', 'password')
  await json('login', 'bob', '--password-file', 'password')
  assert.is((await fails(14, 'certs', '--user', 'bob')).code, 'Denied')
  assert.is((await fails(14, 'ca', '--user', 'bob')).code, 'Denied')
  await json('logout', '--user', 'bob')
  assert.is((await fails(18, 'certs', '--user', 'bob')).code, 'NotLoggedIn')
})

test.run()
