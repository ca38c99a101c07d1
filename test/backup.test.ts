/** A zone is copied while it serves, and restored: what was acknowledged is there, what was signed before is dead. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { verifyAudit } from '../boot/audit/verify.ts'
import { makeBackup, type MadeBackup } from '../boot/backup/create.ts'
import { file } from '../boot/init.ts'
import { prove } from '../boot/prove.ts'
import { APPID, Scene } from '../boot/prove/scene.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import type { SigningKey } from '../runtime/platform/ports.ts'
import {
  keyIn, newFolder, passphrase, plainly, platform, removeFolders, restoreTo,
} from './boot-fixtures/backup-zone.ts'

const test = suite('backup of a zone that serves')
const folder = newFolder()
const target = newFolder()
const copy = join(target, 'zone.backup')
const restored = join(newFolder(), 'restored')

const BIG = 'x'.repeat(120_000)
const LANES = 8
const keyOf = (name: string): string => `services/${APPID}/instances/${name}`

let zone: RunningZone
let backup: MadeBackup
/** Written and acknowledged before the backup was asked for. */
let acknowledged: ReadonlyMap<string, string>
let writtenAfter = 0
const before: Record<string, string> = {}

/** Steady writes: each lane makes new small keys, and writes big values over its one other, so that logs begin anew. */
async function writer(scene: Scene) {
  const { client } = await scene.connect(SystemConfig)
  const { sessionToken: token } = await scene.session(APPID, ['system-config'])
  const acked = new Map<string, string>()
  let stopping = false
  const set = async (name: string, value: string): Promise<void> => {
    await client.set({ key: keyOf(name), value }, { token })
    acked.set(keyOf(name), value)
  }
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let number = 1; !stopping; number++) {
      await set(`small-${lane}-${number}`, String(number))
      await set(`big-${lane}`, `${number} ${BIG}`)
    }
  })
  return {
    acked,
    stop: async () => {
      stopping = true
      await Promise.all(lanes)
    },
  }
}

const rootToken = (scene: Scene, owner: SigningKey): string => scene.token('root', {}, owner)

test.before(() => plainly(async () => {
  zone = await up({ platform, folder })
  const scene = new Scene(zone, platform)
  const owner = await keyIn(folder, file.ownerKey)
  const pair = await scene.login(APPID, ['system-config'])
  const { acked, stop } = await writer(scene)
  const inodes = new Set<number>()
  const log = join(folder, 'stores/system-config/log.1')
  const watch = setInterval(() => inodes.add(statSync(log).ino), 2)
  while (acked.size < 30 || inodes.size < 2) await new Promise((settle) => setTimeout(settle, 5))
  Object.assign(before, {
    device: scene.token('session'), session: pair.sessionToken, refresh: pair.refreshToken,
    login: scene.token('login'), root: rootToken(scene, owner),
  })
  acknowledged = new Map(acked)
  const anew = inodes.size
  backup = await makeBackup({ platform, folder, file: copy })
  writtenAfter = acked.size - acknowledged.size
  while (inodes.size < anew + 2) await new Promise((settle) => setTimeout(settle, 5))
  clearInterval(watch)
  await stop()
  scene.hangUp()
  await zone.stop()
  await restoreTo(restored, copy, folder)
  zone = await up({ platform, folder: restored })
}))
test.after(async () => {
  await zone?.stop()
  removeFolders()
})

test('the zone went on serving while it was copied', () => {
  assert.ok(writtenAfter > 0, `written meanwhile: ${writtenAfter}`)
})

test('every write acknowledged before the backup began is in the restored zone', () => plainly(async () => {
  const token = new Scene(zone, platform).token('session')
  const { items } = await zone.get(SystemConfig).dump({ prefixes: [keyOf('')] }, { token })
  const found = new Map(items.map(({ key, value }) => [key, value]))
  assert.ok(acknowledged.size >= 30)
  for (const [key, value] of acknowledged) {
    const number = Number(value.split(' ')[0])
    assert.ok(Number(found.get(key)?.split(' ')[0]) >= number, key)
  }
}))

test('it boots as a second boot, of the next epoch, and every proof passes', () => plainly(async () => {
  assert.ok(zone.secondBoot)
  assert.is(zone.identity.zone.epoch, 1)
  const { results } = await prove(zone, platform)
  assert.equal(results.filter(({ ok }) => !ok).map(({ name, outcome, reason }) => `${name}: ${outcome} ${reason}`), [])
}))

const refused = async (call: () => Promise<unknown>): Promise<unknown> => {
  try {
    return `answered: ${JSON.stringify(await call())}`
  } catch (error) {
    return error instanceof ZonewrightError ? error.details['reason'] : String(error)
  }
}

test('sessions, refresh, login, root and device tokens of before are of another epoch', () => plainly(async () => {
  const scene = new Scene(zone, platform)
  const config = zone.get(SystemConfig)
  const key = 'boot/config'
  for (const name of ['device', 'session', 'root']) {
    assert.is(await refused(() => config.get({ key }, { token: before[name]! })), 'token/epoch', name)
  }
  const { client } = await scene.connect(VerifyHub)
  assert.is(await refused(() => client.refreshToken({ refreshToken: before['refresh']! })), 'token/epoch')
  assert.is(await refused(() => client.loginByJwt({ jwt: before['login']! })), 'token/epoch')
  assert.is(
    await refused(() => client.verifyToken({ sessionToken: before['session']!, audience: APPID })), 'token/epoch')
  const { sessionToken } = await scene.login(APPID, ['system-config'])
  const own = await scene.connect(SystemConfig)
  assert.match(String(await refused(() => own.client.get({ key }, { token: sessionToken }))), /^answered: /)
  const again = await config.get({ key }, { token: rootToken(scene, await keyIn(folder, file.ownerKey)) })
  assert.is(JSON.parse(again!.value).epoch, 1)
  scene.hangUp()
}))

test('the owner key, the shares and the keys of the host are not in a backup without a passphrase', () => {
  assert.is(statSync(copy).mode & 0o777, 0o600)
  const bytes = readFileSync(copy, 'latin1')
  for (const name of [file.ownerKey, file.deviceKey, file.unsealKey, `${file.recoveryShares}/share-1.txt`]) {
    const secret = readFileSync(join(folder, name), 'latin1').split('\n').find((line) => line.length > 30)!
    assert.not.ok(bytes.includes(secret), name)
    assert.ok(backup.leftOut.includes(name.split('/')[0]!), name)
  }
})

test('the audit goes along: in the restored zone it is whole, goes on, and its store knows how far it had come', () =>
  plainly(async () => {
    const [before, after] = await Promise.all([folder, restored].map((of) => verifyAudit({ platform, folder: of })))
    assert.equal([before!.faults, after!.faults, after!.repaired], [0, 0, 0])
    const lines = (of: string): string[] => readFileSync(join(of, file.audit, '000000000001.jsonl'), 'utf8').split('\n')
    const [old, now] = [lines(folder), lines(restored)]
    const opened = now.findIndex((line, index) => index > 0 && line.includes('"kind":"opened"'))
    assert.ok(opened > 5, String(opened))
    assert.equal(now.slice(0, opened), old.slice(0, opened))
    assert.ok(after!.storeKnows! >= opened)
  }))

test('certificates of etcd go along, and their keys where the whole is encrypted', () => plainly(async () => {
  const pems = join(folder, file.pems)
  mkdirSync(pems)
  for (const name of ['etcd-ca.pem', 'etcd-client.pem', 'etcd-client.key']) writeFileSync(join(pems, name), name)
  const [open, sealed] = [join(target, 'pems'), join(target, 'pems-sealed')]
  const { leftOut } = await makeBackup({ platform, folder, file: open })
  assert.ok(leftOut.includes('pems/etcd-client.key'))
  await makeBackup({ platform, folder, file: sealed, passphrase })
  await restoreTo(join(target, 'with-pems'), open, folder)
  await restoreTo(join(target, 'with-keys'), sealed, folder, { passphrase })
  assert.equal(readdirSync(join(target, 'with-pems', file.pems)), ['etcd-ca.pem', 'etcd-client.pem'])
  assert.is(readFileSync(join(target, 'with-keys', file.pems, 'etcd-client.key'), 'utf8'), 'etcd-client.key')
  assert.is(statSync(join(target, 'with-keys', file.pems, 'etcd-client.key')).mode & 0o777, 0o600)
}))

test('an encrypted backup holds the keys of the host and needs nothing but the owner key', () => plainly(async () => {
  const sealed = join(target, 'sealed.backup')
  writeFileSync(`${sealed}.999999999.tmp`, 'left behind by a backup that was killed')
  const { manifest, leftOut } = await makeBackup({ platform, folder, file: sealed, passphrase })
  assert.ok(manifest.keys)
  assert.not.ok(leftOut.includes(file.deviceKey))
  assert.throws(() => statSync(`${sealed}.999999999.tmp`))
  assert.match(readFileSync(sealed, 'latin1'), /^age-encryption.org\/v1\n-> scrypt /)
  assert.not.ok(readFileSync(sealed, 'latin1').includes('zone.local'))
  const other = join(target, 'sealed')
  const { epoch } = await restoreTo(other, sealed, folder, { passphrase })
  assert.is(epoch, 1)
  for (const name of [file.deviceKey, file.unsealKey]) {
    assert.equal(readFileSync(join(other, name)), readFileSync(join(folder, name)))
    assert.is(statSync(join(other, name)).mode & 0o777, 0o600)
  }
}))

test.run()
