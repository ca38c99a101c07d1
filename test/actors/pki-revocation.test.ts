/** Revocation: what a list says, when it is made anew, and what is forgotten. */
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { certificatePem } from '../../actors/vault/pki/authority-record.ts'
import { certificatePath } from '../../actors/vault/pki/certificates.ts'
import { listPem } from '../../actors/vault/pki/revocation.ts'
import { NotInVault, VaultDamaged } from '../../actors/vault/protocol.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { revocationReasons } from '../../runtime/x509/crl.ts'
import { askerAt, DAY, openssl, sign, withRole, zoned, type Mounted } from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

const test = suite('revocation')

const leaf = (made: Mounted, ttl = 86_400) => sign(made, 'ood', {}, { ttl }, askerAt('ood1'))
const listOf = async ({ pki }: Mounted) => {
  const lists = await pki.revocation.lists()
  return lists.find(({ authority }) => authority.kind === 'intermediate')!
}
const listed = async (made: Mounted): Promise<readonly string[]> =>
  (await listOf(made)).list.revoked.map(({ serial }) => Array.from(serial, (byte) =>
    byte.toString(16).padStart(2, '0')).join(''))

test('a certificate is revoked once: a retry gets the first time, and its list is there at once', async () => {
  const made = await zoned()
  const { key } = await leaf(made)
  await leaf(made)
  const before = await listOf(made)
  made.clock.ms += 1_234
  const { revokedAt } = await made.pki.revocation.revoke(key, 'keyCompromise')
  assert.is(revokedAt, Math.floor(made.clock.ms / 1_000) * 1_000)
  const after = await listOf(made)
  assert.is(after.list.number, before.list.number + 1)
  assert.is(after.list.nextUpdate, Math.floor((made.clock.ms + DAY) / 1_000) * 1_000, 'a day')
  assert.equal(after.list.revoked.map(({ at, reason }) => [at, reason]), [[revokedAt, 'keyCompromise']])
  made.clock.ms += 60_000
  assert.is((await made.pki.revocation.revoke(key, 'superseded')).revokedAt, revokedAt)
  assert.is((await made.again().revocation.revoke(key)).revokedAt, revokedAt, 'after a restart')
  assert.is((await listOf(made)).list.number, after.list.number)
  const found = made.pki.certificates.told(await made.pki.certificates.read(key))
  assert.is(found.revokedAt, revokedAt)
  assert.is((await made.pki.certificates.page(undefined, 10)).certificates.filter((one) => one.revokedAt).length, 1)
})

test('OpenSSL and @peculiar/x509 read the list, and find who is on it and who is not', async () => {
  const made = await zoned()
  const [bad, good] = [await leaf(made), await leaf(made)]
  await made.pki.revocation.revoke(bad.key, 'superseded')
  const lists = await made.pki.revocation.lists()
  const verdict = (der: Uint8Array): string => openssl({
    'leaf.pem': certificatePem(der), 'chain.pem': bad.book.chain.join(''), 'roots.pem': bad.book.roots.join(''),
    'crl.pem': lists.map(({ list }) => listPem(list)).join(''),
  }, 'verify', '-x509_strict', '-attime', String(made.clock.ms / 1_000), '-crl_check_all', '-CRLfile', 'crl.pem',
  '-CAfile', 'roots.pem', '-untrusted', 'chain.pem', 'leaf.pem')
  assert.match(verdict(bad.der), /error 23 at 0 depth lookup: certificate revoked/)
  assert.match(verdict(good.der), /leaf\.pem: OK/)
  const { list, authority } = await listOf(made)
  const theirs = new x509.X509Crl(list.der)
  assert.ok(await theirs.verify({ publicKey: new x509.X509Certificate(authority.pem).publicKey }))
  assert.is(theirs.findRevoked(bad.key)?.reason, 4)
  assert.not(theirs.findRevoked(good.key))
})

test('every reason is a word of RFC 5280, and what is none is refused', async () => {
  const made = await zoned()
  for (const reason of revocationReasons) {
    if (reason === undefined || reason === 'certificateHold') continue
    const { key } = await leaf(made)
    await made.pki.revocation.revoke(key, reason.toLowerCase())
    const entry = (await listOf(made)).list.revoked.at(-1)!
    assert.is(entry.reason, reason === 'unspecified' ? undefined : reason)
  }
  const { key } = await leaf(made)
  for (const reason of ['certificateHold', 'because', '7']) {
    await failure(InvalidArgument, () => made.pki.revocation.revoke(key, reason))
  }
  await failure(NotInVault, () => made.pki.revocation.revoke('0a:0b'))
})

test('many revocations at once are all on the list, and each number is used once', async () => {
  const made = await zoned()
  const keys: string[] = []
  for (let index = 0; index < 12; index++) keys.push((await leaf(made)).key)
  const { number } = (await listOf(made)).list
  const [one, two] = [made.pki.revocation, made.again().revocation]
  await Promise.all(keys.map((key, index) => (index % 2 ? one : two).revoke(key)))
  assert.equal([...await listed(made)].sort(), [...keys].sort())
  assert.is((await listOf(made)).list.number, number + 12)
})

test('a list is made anew at half of its time, by who asks for that, and not before', async () => {
  const made = await zoned()
  const { list: first } = await listOf(made)
  made.clock.ms += DAY / 2 - 60_000
  assert.is(await made.pki.revocation.refresh(), 0)
  made.clock.ms += 60_000
  assert.is(await made.pki.revocation.refresh(), 2, 'the root\'s as well')
  assert.is(await made.pki.revocation.refresh(), 0)
  const { list: second } = await listOf(made)
  assert.equal([second.number, second.nextUpdate - first.nextUpdate], [first.number + 1, DAY / 2])
  assert.is(await made.pki.revocation.refresh(true), 2)
  await made.pki.settings.setCrl({ expiry: '2h' })
  await made.pki.revocation.refresh(true)
  assert.is((await listOf(made)).list.nextUpdate, made.clock.ms + 7_200_000)
})

test('tidy forgets what ended long enough ago, in the inventory and on the lists, and nothing else', async () => {
  const made = await zoned()
  const short = [await leaf(made, 3_600), await leaf(made, 3_600)]
  const long = [await leaf(made, 30 * 86_400), await leaf(made, 30 * 86_400)]
  for (const { key } of [short[0]!, long[0]!]) await made.pki.revocation.revoke(key)
  const safety = 2 * DAY
  made.clock.ms += 3_600_000 + safety - 60_000
  assert.equal(await made.pki.tidy(safety), { removed: 0, left: 4, unlisted: 0 })
  made.clock.ms += 120_000
  assert.equal(await made.pki.tidy(safety), { removed: 2, left: 2, unlisted: 1 })
  assert.equal(await listed(made), [long[0]!.key])
  await failure(NotInVault, () => made.pki.certificates.read(short[1]!.key))
  assert.is((await made.pki.certificates.read(long[1]!.key)).key, long[1]!.key)
  assert.equal(await made.pki.tidy(safety), { removed: 0, left: 2, unlisted: 0 })
  assert.equal(await made.pki.tidy(0), { removed: 0, left: 2, unlisted: 0 }, 'what lives stays, whatever the safety')
})

test('an intermediate that was revoked is on the list of its root until it ends', async () => {
  const made = await zoned()
  const { id: old } = (await made.pki.authorities.fresh()).authorities[1]!
  for (const step of ['prepare', 'activate', 'taint', 'revoke'] as const) {
    await made.pki.rotation.step(step, step === 'activate' ? undefined : old)
  }
  const rootList = async () => (await made.pki.revocation.lists())[0]!.list.revoked.length
  assert.is(await rootList(), 1)
  await made.pki.tidy()
  assert.is(await rootList(), 1)
  made.clock.ms += 740 * DAY
  await made.pki.tidy()
  assert.is(await rootList(), 0)
})

test('a certificate that has ended is revoked, and no list has to say so', async () => {
  const made = await zoned()
  const { key } = await leaf(made, 60)
  made.clock.ms += 61_000
  const { revokedAt } = await made.pki.revocation.revoke(key)
  assert.ok(revokedAt > 0)
  assert.equal(await listed(made), [])
})

test('a list that was damaged is refused by its path', async () => {
  const made = await withRole({ })
  const { key } = await sign(made, 'web', { commonName: 'localhost' })
  const { signer } = await made.pki.authorities.fresh()
  const path = `mine/crl/${signer!.id}`
  const record = (await made.store.get(path))!.value
  const changed = Uint8Array.from(record)
  changed[50]! ^= 4
  await made.store.put(path, changed)
  assert.is((await failure(VaultDamaged, () => made.pki.revocation.revoke(key))).details.path, path)
  await failure(VaultDamaged, () => made.pki.revocation.lists())
  await made.barrier.commit([], [{ path, value: Uint8Array.of(0x30, 0) }])
  assert.is((await failure(VaultDamaged, () => made.pki.revocation.lists())).details.path, `crl/${signer!.id}`)
  const found = await made.pki.certificates.read(key)
  assert.is(found.stored.revokedAt, undefined, 'it was not said to be revoked')
  assert.ok(await made.store.get(`mine/${certificatePath(key)}`))
})

test.run()
