/** A zone on a real etcd of three, when something is wrong: cold start, two starts, another vault, renewal, kills. */
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { certificatesIn } from '../boot/etcd/certificates.ts'
import { pems } from '../boot/etcd/names.ts'
import { recoverEtcd } from '../boot/etcd/recover.ts'
import { exitCodes } from '../boot/errors.ts'
import { up, type RunningZone } from '../boot/up.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { serialText } from '../runtime/x509/serial.ts'
import { createTrace } from '../runtime/trace.ts'
import { runChild } from './boot-fixtures/child.ts'
import { die } from './boot-fixtures/crash-child.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from './boot-fixtures/pem-cluster.ts'
import { configText, newFolder, PATH, pemsIn, platform, removeFolders } from './boot-fixtures/pems.ts'
import { freePort } from './runtime/etcd-server.ts'

const CHILD = '--child'
const DAY = 86_400_000
const endpoints = await freeEndpoints()
const addr = `127.0.0.1:${await freePort()}`
const config = { path: PATH, text: configText({ endpoints, addr }) }
const folder = newFolder()
let cluster: PemCluster

const start = (of = folder, text = config.text, trace = createTrace()): Promise<RunningZone> =>
  up({ platform, folder: of, config: { path: PATH, text }, trace })
async function refusal(of = folder, text = config.text): Promise<ZonewrightError> {
  const zone = await start(of, text).catch((error: ZonewrightError) => error)
  if (zone instanceof Error) return zone
  await zone.stop()
  throw new Error('It started')
}
const clockAt = (ms: number) => ({ ...platform, clock: { ...platform.clock, now: () => ms } })
const serial = (): string =>
  serialText(certificatesIn(readFileSync(join(folder, pems.etcdClient.certificate), 'utf8'))[0]!.serial)
const until = async (is: () => boolean | Promise<boolean>): Promise<void> => {
  for (let turn = 0; turn < 300; turn++) {
    if (await is()) return
    await new Promise((settle) => setTimeout(settle, 50))
  }
  throw new Error('It did not come to that')
}
/** So many days ago all certificates for etcd were made. */
const madeDaysAgo = (days: number): Promise<unknown> => recoverEtcd({
  platform: clockAt(platform.clock.now() - days * DAY), folder, config, renew: true, onProgress() {},
})

let vaultId: string
test.before(async () => {
  await pemsIn(folder, { config })
  cluster = await startPemCluster(folder, endpoints)
  const zone = await start()
  vaultId = (await zone.get(Vault).status({})).vaultId
  await zone.stop()
})
test.after(async () => {
  await cluster.end()
  removeFolders()
})

test('without its certificates it says what makes them, and begins nothing', async () => {
  const own = newFolder()
  const error = await refusal(own)
  assert.is(error.code, 'PemsMissing')
  assert.is(exitCodes[error.code], 40)
  assert.match(String(error.details['next']), /gen pems/)
})

test('two starts at once: one of them serves, the other is told who does', async () => {
  const both = await Promise.all([0, 1].map(() => start().catch((error: ZonewrightError) => error)))
  const codes = both.map((each) => (each instanceof Error ? each.code : 'serves'))
  assert.equal([...codes].sort(), ['FolderInUse', 'serves'])
  for (const each of both) if (!(each instanceof Error)) await each.stop()
})

test('a place in etcd that holds another vault is left alone', async () => {
  const other = newFolder()
  await pemsIn(other, { config })
  // By certificates that this etcd knows
  for (const name of [pems.etcdAuthority, pems.etcdClient.certificate, pems.etcdClient.key]) {
    cpSync(join(folder, name), join(other, name))
  }
  const error = await refusal(other)
  assert.is(error.code, 'StoreOfAnother', error.message)
  assert.match(String(error.details['next']), /another prefix/)
  const zone = await start()
  assert.is((await zone.get(Vault).status({})).vaultId, vaultId)
  await zone.stop()
})

test('while it runs its certificate is renewed at its time, and nothing that it does is interrupted', async () => {
  await madeDaysAgo(150)
  const before = serial()
  const trace = createTrace()
  const failures: unknown[] = []
  trace.on('log', ({ message, level }) => void (level !== 'info' && failures.push(message)))
  await cluster.killAll()
  cluster.startAll()
  const zone = await start(folder, config.text, trace)
  let ended = false
  let reads = 0
  const reading = (async () => {
    while (!ended) {
      await zone.get(SystemConfig).trust({})
      await zone.get(Vault).certificates({ mount: 'pki-etcd', limit: 1 })
      reads++
    }
  })()
  await until(() => serial() !== before)
  const renewed = serial()
  await until(async () => reads > 20)
  ended = true
  await reading
  const known = await zone.get(Vault).certificates({ mount: 'pki-etcd', limit: 1_000 })
  assert.ok(known.certificates.some(({ serial: each }) => each === renewed))
  await zone.get(Vault).ensureKey({ name: 'anchor' })
  // Of members it can only warn: their keys are there
  assert.equal(failures.filter((message) => !/gen pems --renew/.test(String(message))), [])
  assert.is(failures.length, endpoints.length)
  // A connection that is made anew takes the new one
  await cluster.members[0]!.kill()
  cluster.members[0]!.start()
  await zone.get(SystemConfig).trust({})
  await zone.stop()
})

test('after a power-off longer than any certificate it says so, and recover etcd brings it back', async () => {
  await madeDaysAgo(400)
  await cluster.killAll()
  cluster.startAll()
  const error = await refusal()
  assert.is(error.code, 'EtcdCertificateExpired')
  assert.is(exitCodes[error.code], 44)
  assert.match(String(error.details['next']), /recover etcd/)
  const share = (number: number): string => readFileSync(join(folder, `recovery-shares/share-${number}.txt`), 'utf8')
  const shares = [1, 3, 4].map((number) => share(number).trim())
  const unsealKey = readFileSync(join(folder, 'unseal.key'))
  const recovered = await recoverEtcd({ platform, folder, config, shares, onProgress() {} })
  assert.ok(recovered.certificates.every(({ held }) => held.made === 'it had ended'))
  assert.equal(readFileSync(join(folder, 'unseal.key')), unsealKey)
  await cluster.killAll()
  cluster.startAll()
  const zone = await start()
  assert.is((await zone.get(Vault).status({})).vaultId, vaultId)
  assert.is(zone.secondBoot, true)
  const serials = recovered.certificates.map(({ held }) => held.serial)
  const { certificates } = await zone.get(Vault).certificates({ mount: 'pki-etcd', limit: 1_000 })
  assert.equal(serials.filter((each) => !certificates.some(({ serial: known }) => known === each)), [])
  await zone.stop()
})

test('a start that was killed in the middle of the move goes on, wherever it was', async () => {
  const own = newFolder()
  const text = config.text.replace('prefix: /zones', 'prefix: /killed')
  await pemsIn(own, { config: { path: PATH, text } })
  for (const name of [pems.etcdAuthority, pems.etcdClient.certificate, pems.etcdClient.key]) {
    rmSync(join(own, name))
    cpSync(join(folder, name), join(own, name))
  }
  for (const kill of ['copying', 'fenced', 'retired']) {
    const { signal, noise } = await runChild([CHILD, own, text, kill], { msMax: 60_000 })
    assert.equal([signal, noise], ['SIGKILL', ''], kill)
  }
  const zone = await start(own, text)
  assert.is((await zone.get(Vault).status({})).sealed, false)
  await zone.stop()
})

/** A start that is killed when the vault's store comes to this phase of its move. */
async function startAndDie(of: string, text: string, at: string): Promise<void> {
  const trace = createTrace()
  trace.on('move', ({ actor, phase }) => void (actor === 'vault' && phase === at && die()))
  await start(of, text, trace)
}

const [flag, ...given] = process.argv.slice(2)
if (flag === CHILD) await startAndDie(given[0] ?? '', given[1] ?? '', given[2] ?? '')
else test.run()
