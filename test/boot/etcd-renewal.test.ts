/** The certificate by which a host is known to etcd is renewed in time, whole, and with no gap. */
import { cpSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openExtract, type Opened } from '../../actors/vault/recovery.ts'
import { certificatesIn } from '../../boot/etcd/certificates.ts'
import { readCredentials } from '../../boot/etcd/credentials.ts'
import { pems } from '../../boot/etcd/names.ts'
import { EtcdRenewal } from '../../boot/etcd/renewal.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { manualClock } from '../actors/manual-clock.ts'
import { newFolder, openssl, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const template = newFolder()
const { made } = await pemsIn(template)
const { config } = made!

interface Renewing {
  readonly folder: string
  /** What the clock on the wall shows, beside the one that timers go by. */
  readonly wall: { now(): number; set(ms: number): void }
  readonly given: Platform
  readonly swapped: EtcdCredentials[]
  readonly told: { readonly level: string; readonly message: string }[]
  readonly renewal: EtcdRenewal
  /** What fails now. */
  readonly failing: { vault: boolean; swap: boolean }
  /** Moves on until so much of the life of the present certificate is over, and looks. */
  atShare(share: number): Promise<void>
  look(ms?: number): Promise<void>
}

async function renewing(before: (folder: string) => void = () => {}): Promise<Renewing> {
  const folder = newFolder()
  cpSync(template, folder, { recursive: true })
  before(folder)
  const clock = manualClock()
  let ahead = platform.clock.now() - clock.now()
  const wall = { now: () => clock.now() + ahead, set: (ms: number) => void (ahead = ms - clock.now()) }
  const given = { ...platform, clock: { ...clock, now: wall.now } }
  const files = await platform.host.openFolder(folder)
  const { keys, random } = platform
  const secrets = { 'unseal-key': made!.identity.unsealKey }
  const sealed = readFileSync(join(folder, pems.etcdSealed), 'utf8')
  const opened: Opened = await openExtract(sealed, secrets, { zone: config.zone, keys, random, clock: given.clock })
  const [swapped, told]: [EtcdCredentials[], Renewing['told']] = [[], []]
  const failing = { vault: false, swap: false }
  const renewal = new EtcdRenewal({
    platform: given, files, config,
    vault: () => ({
      async signCertificate(asked) {
        if (failing.vault) throw new Unavailable('The vault restarts')
        return opened.sign(asked)
      },
      sealAuthority: async () => ({ sealed: await opened.sealed() }),
    }),
    async swap(credentials) {
      if (failing.swap) throw new Unavailable('A store does not answer')
      swapped.push(credentials)
    },
    log: (level, message) => void told.push({ level, message }),
  })
  const look = async (ms: number = limits.etcdRenewalCheckMs): Promise<void> => {
    await clock.advance(ms)
    await renewal.settled()
  }
  await look(0)
  return {
    folder, wall, given, swapped, told, renewal, failing, look,
    async atShare(share) {
      const [leaf] = certificatesIn(readFileSync(join(folder, pems.etcdClient.certificate), 'utf8'))
      const { notBefore, notAfter } = leaf!
      wall.set(notBefore + share * (notAfter - notBefore))
      await look()
    },
  }
}

const serialIn = (folder: string): string =>
  serialText(certificatesIn(readFileSync(join(folder, pems.etcdClient.certificate), 'utf8'))[0]!.serial)

test('before half of its life nothing happens; by 80 % it is renewed, on the disk and with who uses it', async () => {
  const { folder, given, swapped, renewal, told, atShare } = await renewing()
  const before = serialIn(folder)
  await atShare(0.49)
  assert.is(serialIn(folder), before)
  assert.equal(swapped, [])
  await atShare(0.81)
  assert.is.not(serialIn(folder), before)
  assert.is(swapped.length, 1)
  assert.is(swapped[0]!.certificate, readFileSync(join(folder, pems.etcdClient.certificate), 'utf8'))
  assert.is(swapped[0]!.key, readFileSync(join(folder, pems.etcdClient.key), 'utf8'))
  assert.is(statSync(join(folder, pems.etcdClient.key)).mode & 0o777, 0o600)
  const verified = openssl('verify', '-x509_strict', '-no_check_time', '-CAfile', join(folder, pems.etcdAuthority),
    join(folder, pems.etcdClient.certificate))
  assert.is(verified.status, 0, verified.text)
  const files = await given.host.openFolder(folder)
  assert.ok((await readCredentials(given, files, config)).notAfter > given.clock.now())
  assert.ok(told.some(({ message }) => /was renewed/.test(message)))
  await atShare(0.81)
  assert.is(swapped.length, 2, 'and so on')
  await renewal.close()
})

test('it looks as often as the limit says, by the wall clock: a machine that slept is not late', async () => {
  const { folder, wall, renewal, look } = await renewing()
  const before = serialIn(folder)
  const [leaf] = certificatesIn(readFileSync(join(folder, pems.etcdClient.certificate), 'utf8'))
  wall.set(leaf!.notBefore + 0.81 * (leaf!.notAfter - leaf!.notBefore))
  await look(limits.etcdRenewalCheckMs - 1)
  assert.is(serialIn(folder), before)
  await look(1)
  assert.is.not(serialIn(folder), before)
  await renewal.close()
})

test('the point is drawn anew for each certificate, between 50 and 80 % of its life', async () => {
  const { folder, swapped, renewal, atShare } = await renewing()
  const shares: number[] = []
  for (let round = 0; round < 6; round++) {
    for (let share = 0.48; share < 0.86; share += 0.05) {
      const count = swapped.length
      await atShare(share)
      if (swapped.length === count) continue
      shares.push(share)
      break
    }
  }
  assert.is(shares.length, 6)
  assert.ok(shares.every((share) => share > 0.49 && share < 0.86), shares.join(' '))
  assert.ok(new Set(shares.map((share) => share.toFixed(2))).size > 1, shares.join(' '))
  assert.type(serialIn(folder), 'string')
  await renewal.close()
})

test('a renewal that the vault cannot do now is tried again, and the old certificate stays meanwhile', async () => {
  const { folder, swapped, told, failing, renewal, atShare, look } = await renewing()
  const before = serialIn(folder)
  failing.vault = true
  await atShare(0.81)
  assert.is(serialIn(folder), before)
  assert.ok(told.some(({ level, message }) => level === 'warn' && /was not renewed; it is tried again/.test(message)))
  failing.vault = false
  await look(limits.etcdRenewalRetryMs - 1_000)
  assert.is(serialIn(folder), before)
  await look(1_000)
  assert.is.not(serialIn(folder), before)
  assert.is(swapped.length, 1)
  await renewal.close()
})

test('new credentials that somebody did not take yet are given again, without another certificate', async () => {
  const { folder, swapped, failing, renewal, atShare, look } = await renewing()
  failing.swap = true
  await atShare(0.81)
  const renewed = serialIn(folder)
  assert.equal(swapped, [])
  failing.swap = false
  await look(limits.etcdRenewalRetryMs)
  assert.is(serialIn(folder), renewed)
  assert.equal(swapped.map(({ certificate }) => serialText(certificatesIn(certificate)[0]!.serial)), [renewed])
  await renewal.close()
})

test('of members whose certificates are past half of their life it warns, once each, and leaves them', async () => {
  const { told, renewal, atShare } = await renewing()
  const warned = (): number => told.filter(({ message }) => /gen pems --renew/.test(message)).length
  await atShare(0.4)
  assert.is(warned(), 0)
  await atShare(0.51)
  assert.is(warned(), 3)
  await atShare(0.52)
  assert.is(warned(), 3)
  await renewal.close()
})

test('without its files it says so and goes on looking', async () => {
  const { told, renewal } = await renewing((folder) => rmSync(join(folder, pems.etcdClient.key)))
  assert.ok(told.some(({ level }) => level === 'warn'))
  await renewal.close()
})

test.run()
