/**
 * The documented initialisation, both halves, on a real etcd of three members with client certificates: each step is
 * marked by its receiver with evidence, and true whether or not it is marked.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initStep as step } from '../actors/init-steps.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { readCredentials } from '../boot/etcd/credentials.ts'
import { pems } from '../boot/etcd/names.ts'
import type { EtcdProgress } from '../boot/etcd/start.ts'
import { initSequence } from '../boot/sequences.ts'
import { up, type Progress, type RunningZone } from '../boot/up.ts'
import { openEtcdStore } from '../runtime/store/etcd.ts'
import type { Store } from '../runtime/store/store.ts'
import { createTrace, type StepEvent } from '../runtime/trace.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from './boot-fixtures/pem-cluster.ts'
import { configText, newFolder, openssl, PATH, pemsIn, platform, removeFolders } from './boot-fixtures/pems.ts'
import { freePort } from './runtime/etcd-server.ts'

/** What the receiver of each step must tell of it. */
const evidence: Readonly<Record<number, readonly string[]>> = {
  [step.pemsAsked]: ['config', 'endpoints'],
  [step.authoritiesAsked]: ['etcd', 'root', 'vaultId'],
  [step.certificatesReceived]: ['client', 'members', 'server'],
  [step.pemsSaved]: ['files', 'folder'],
  [step.startAsked]: ['config', 'endpoints', 'folder'],
  [step.vaultUnsealed]: ['store', 'term', 'vaultId'],
  [step.etcdAsked]: ['client', 'cluster', 'member'],
  [step.etcdAnswered]: ['answered', 'of', 'revision'],
  [step.moveAsked]: ['entries'],
  [step.entriesWritten]: ['bytes', 'entries', 'stores'],
  [step.entriesVerified]: ['digest', 'verified'],
  [step.moveConfirmed]: ['prefix', 'revision'],
  [step.servicesStarted]: ['actors'],
  [step.ready]: ['address', 'bootMs'],
}

const PREFIX = '/zones/zone.local'
const endpoints = await freeEndpoints()
const addr = `127.0.0.1:${await freePort()}`
const config = { path: PATH, text: configText({ endpoints, keep: false, addr }) }
const folder = newFolder()
const at = (...names: readonly string[]): string => join(folder, ...names)

interface Started { readonly zone: RunningZone; readonly steps: StepEvent[]; readonly progress: Progress[] }
async function start(): Promise<Started> {
  const trace = createTrace()
  const [steps, progress]: [StepEvent[], Progress[]] = [[], []]
  trace.on('step', (event) => void (event.sequence === initSequence.name && steps.push(event)))
  const zone = await up({ platform, folder, config, trace, onProgress: (each) => void progress.push(each) })
  return { zone, steps, progress }
}

let cluster: PemCluster
let first: Started
const marks: StepEvent[] = []
const of = (number: number): StepEvent => marks.find((event) => event.number === number)!

test.before(async () => {
  const made = await pemsIn(folder, { config })
  marks.push(...made.steps.filter(({ sequence }) => sequence === initSequence.name))
  cluster = await startPemCluster(folder, endpoints)
  first = await start()
  marks.push(...first.steps)
})
test.after(async () => {
  await cluster.end()
  removeFolders()
})

test('every documented step is marked once, in the documented order', () => {
  assert.equal(marks.map(({ number }) => number), initSequence.steps.map(({ number }) => number))
  assert.equal(initSequence.steps.map(({ number }) => number), Array.from({ length: 14 }, (_, index) => index + 1))
  const times = marks.map(({ at: time }) => time)
  assert.equal([...times].sort((a, b) => a - b), times)
})

for (const { number, to, what } of initSequence.steps) {
  test(`step ${number} is marked by its receiver, with evidence: ${to} ${what}`, () => {
    const { actor, evidence: given } = of(number)
    assert.is(actor, to)
    assert.equal(Object.keys(given).sort(), evidence[number])
    for (const [name, value] of Object.entries(given)) assert.is.not(value, '', name)
  })
}

/** Of one store in etcd, by who asks etcd itself. */
async function inEtcd<T>(name: string, look: (store: Store) => Promise<T>): Promise<T> {
  const { etcd: credentials } = await readCredentials(platform, first.zone.files, first.zone.config)
  const { clock, random } = platform
  const store = await openEtcdStore({ endpoints, prefix: `${PREFIX}/${name}`, credentials, clock, random })
  try {
    return await look(store)
  } finally {
    await store.close()
  }
}

test('the evidence of certificates is that of the files', () => {
  const serial = (name: string): string =>
    openssl('x509', '-in', at(name), '-noout', '-serial').text.trim().replace('serial=', '').toLowerCase()
  const plain = (value: unknown): string => String(value).replaceAll(':', '')
  assert.is(plain(of(step.authoritiesAsked).evidence['etcd']), serial(pems.etcdAuthority))
  assert.is(plain(of(step.certificatesReceived).evidence['client']), serial(pems.etcdClient.certificate))
  assert.is(of(step.etcdAsked).evidence['client'], of(step.certificatesReceived).evidence['client'])
})

test('the vault of the start is that of gen pems, and it lies in etcd, encrypted, entry for entry', async () => {
  const { vaultId, sealed } = await first.zone.get(Vault).status({})
  assert.is(sealed, false)
  assert.is(of(step.authoritiesAsked).evidence['vaultId'], vaultId)
  assert.is(of(step.vaultUnsealed).evidence['vaultId'], vaultId)
  await inEtcd('vault', async (store) => {
    assert.is(store.id, of(step.vaultUnsealed).evidence['store'])
    const { entries } = await store.list('')
    assert.ok(entries.length >= Number(of(step.moveAsked).evidence['entries']))
    const open = entries.filter(({ key }) => key !== 'core/seal-config')
      .map(({ value }) => new TextDecoder().decode(value))
    assert.not(open.some((text) => /PRIVATE|BEGIN|"pem"/.test(text)))
  })
  const certificates = await first.zone.get(Vault).certificates({ mount: 'pki-etcd' })
  assert.is(certificates.certificates.length, 1 + endpoints.length)
})

test('counts of what was written and read back agree, and every store has moved', () => {
  const moved = first.progress.find((each): each is Extract<EtcdProgress, { type: 'moved' }> => each.type === 'moved')!
  assert.is(moved.before, false)
  assert.ok(moved.migration.stores.some(({ name }) => name === 'vault'))
  const entries = moved.migration.stores.reduce((sum, store) => sum + store.entries, 0)
  assert.is(of(step.entriesWritten).evidence['entries'], entries)
  assert.is(of(step.entriesVerified).evidence['verified'], entries)
  assert.is(of(step.entriesWritten).evidence['stores'], moved.migration.stores.length)
  assert.is(of(step.moveConfirmed).evidence['prefix'], PREFIX)
})

test('what the zone writes from then on is in etcd', async () => {
  const { store } = await first.zone.get(SystemConfig).trust({})
  await inEtcd('system-config', async (own) => {
    assert.is(own.id, store.id)
    assert.ok((await own.list('')).entries.some(({ key }) => key.endsWith('boot/config')))
  })
})

test('steps of both commands are kept beside each other, and none of them holds a secret', () => {
  const text = readFileSync(at('initialisation.json'), 'utf8')
  const kept = JSON.parse(text) as { steps: { number: number }[] }
  assert.equal(kept.steps.map(({ number }) => number), initSequence.steps.map(({ number }) => number))
  assert.not.match(text, /PRIVATE/)
  assert.not(text.includes(readFileSync(at('unseal.key'), 'utf8').trim()))
})

test('shares are removed once that was verified; what may be the only copy, or in use here, stays', () => {
  const told = first.progress.find((each): each is Extract<EtcdProgress, { type: 'dangerous' }> =>
    each.type === 'dangerous')!
  assert.equal(readdirSync(at('recovery-shares')), [])
  assert.is(told.removed.length, 5)
  assert.ok(told.removed.every((name) => name.startsWith('recovery-shares/')))
  const here = told.kept.filter(({ why }) => /is on this machine, and may read it from here/.test(why))
  assert.is(here.length, endpoints.length)
  assert.ok(told.kept.some(({ name, why }) => name === 'owner.key' && /may be the only one/.test(why)))
  assert.ok(existsSync(at('owner.key')) && existsSync(at('unseal.key')))
})

test('who starts the folder without its etcd is refused, with the way out', async () => {
  await first.zone.stop()
  for (const other of [{}, { config: { path: PATH, text: 'zone: zone.local\n' } }]) {
    const error = await up({ platform, folder, ...other }).then(() => undefined, (thrown) => thrown)
    assert.is(error?.code, 'StoresInEtcd')
    assert.match(String(error.details['next']), /start --config FILE/)
    assert.ok(String(error.details['next']).includes(endpoints[0]!))
  }
  const text = config.text.replace('prefix: /zones', 'prefix: /elsewhere')
  const elsewhere = await up({ platform, folder, config: { path: PATH, text } })
    .then(() => undefined, (thrown) => thrown)
  assert.is(elsewhere?.code, 'StoresInEtcd')
  assert.match(elsewhere.message, /under \/zones\/zone\.local, and .* names \/elsewhere\/zone\.local/)
})

test('a second start finds the stores there, says so, and marks what happens again', async () => {
  const second = await start()
  const again = [5, 7, 8, 6, 13, 14]
  assert.equal(second.steps.map(({ number }) => number), again)
  const moved = second.progress.find((each): each is Extract<EtcdProgress, { type: 'moved' }> => each.type === 'moved')!
  assert.is(moved.before, true)
  const before = second.progress.find((each): each is Extract<EtcdProgress, { type: 'initialisation' }> =>
    each.type === 'initialisation')!
  assert.equal(before.rows.map(({ number }) => number), initSequence.steps.map(({ number }) => number))
  assert.is(second.zone.secondBoot, true)
  const { vaultId } = await second.zone.get(Vault).status({})
  assert.is(vaultId, of(step.vaultUnsealed).evidence['vaultId'])
  await second.zone.stop()
})

test.run()
