/** A revocation list that is full: what has ended gives way, and a host can be revoked all the same. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTelling } from '../../actors/enrolment/tunnels/telling.ts'
import { crlPath, nextList, readList } from '../../actors/vault/pki/revocation-list.ts'
import { listPem } from '../../actors/vault/pki/revocation.ts'
import { LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import type { TunnelEnd } from '../../transport/tunnel/protocol.ts'
import { asked, device, joinable, makeToken, type Vaulted } from './join-fixture.ts'
import { manualClock } from './manual-clock.ts'
import { askerAt, DAY, sign } from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

const leaf = async (vault: Vaulted, ttl = 86_400) => (await sign(vault, 'ood', {}, { ttl }, askerAt('ood1'))).key
const listOf = async ({ pki }: Vaulted) =>
  (await pki.revocation.lists()).find(({ authority }) => authority.kind === 'intermediate')!
const listed = async (vault: Vaulted): Promise<readonly string[]> =>
  (await listOf(vault)).list.revoked.map(({ serial }) => serialText(serial).replaceAll(':', ''))

/** So many more of certificates that nobody remembers: they stay until a tidy. */
async function fill(vault: Vaulted, upTo: number): Promise<void> {
  const { authority } = await listOf(vault)
  const last = await readList(vault.pki.ports.barrier, authority.id)
  const before = last!.revoked
  const more = Array.from({ length: upTo - before.length }, (_, index) => ({
    serial: Uint8Array.from({ length: 20 }, (_, at) => (at === 0 ? 1 : index >> ((at % 3) * 8)) & 0xff),
    at: vault.clock.ms, reason: 'cessationOfOperation' as const,
  }))
  const how = { now: vault.clock.ms, lifeMs: DAY }
  const { guard, change } = nextList(authority, last, [...before, ...more], how)
  assert.is(change.path, crlPath(authority.id))
  assert.ok(await vault.pki.ports.barrier.commit([guard], [change]))
}
const joined = async (vault: Vaulted, host: string): Promise<string> =>
  (await vault.enrolling.enrol(await asked(await makeToken(vault, host), host, device()))).serial.replaceAll(':', '')

test('certificates that ended leave their list, one life of a list later, as it is made anew', async () => {
  const vault = await joinable()
  const [short, long] = [await leaf(vault, 3_600), await leaf(vault, 30 * 86_400)]
  for (const key of [short, long]) await vault.pki.revocation.revoke(key)
  vault.clock.ms += 3_600_000 + DAY - 60_000
  await vault.pki.revocation.refresh(true)
  assert.equal(await listed(vault), [short, long], 'a list of its time may still be about')
  vault.clock.ms += 120_000
  await vault.pki.revocation.refresh(true)
  assert.equal(await listed(vault), [long])
})

test('a full list takes one more where one has ended, and else only what is reserved for hosts', async () => {
  const ordinary = limits.vaultRevoked - limits.vaultRevokedReserve
  const vault = await joinable()
  const short = await leaf(vault, 3_600)
  await vault.pki.revocation.revoke(short)
  await fill(vault, ordinary)
  const [first, second] = [await leaf(vault, 30 * 86_400), await leaf(vault, 30 * 86_400)]
  await failure(LimitExceeded, () => vault.pki.revocation.revoke(first))
  vault.clock.ms += 3_600_000 + DAY + 60_000
  await vault.pki.revocation.revoke(first)
  const after = await listed(vault)
  assert.equal([after.length, after.includes(short), after.at(-1)], [ordinary, false, first])
  await failure(LimitExceeded, () => vault.pki.revocation.revoke(second))
  const serial = await joined(vault, 'node1')
  await vault.hosts.revoke('node1', 'owner')
  assert.equal((await listed(vault)).slice(ordinary), [serial])
})

test('where no list has room a host is revoked by its record, and what nodes are told of is not cut', async () => {
  const vault = await joinable()
  await fill(vault, limits.vaultRevoked)
  const serial = await joined(vault, 'node1')
  const { revokedAt } = await vault.hosts.revoke('node1', 'owner')
  assert.is(revokedAt, vault.clock.ms)
  assert.ok((await vault.pki.certificates.find(serial))!.stored.revokedAt !== undefined)
  const { list, authority } = await listOf(vault)
  assert.is(list.revoked.length, limits.vaultRevoked)

  const [told, errors]: [string[], string[]] = [[], []]
  let lists = [listPem(list)]
  const telling = createTelling({
    clock: manualClock(), log: { info() {}, warn() {}, error: (text: string) => void errors.push(text) } as never,
  }, {
    roots: async () => ({ document: 'roots' }) as never,
    authorities: async () => [{ kind: 'intermediate', pem: authority.pem, notAfter: 1e15 }] as never,
    crl: async () => lists.map((pem) => ({ pem })) as never,
  }, async () => 'hosts')
  const end = {
    tell: (kind: string, text: string) => void (kind === 'hosts' || told.push(text)),
  } as Partial<TunnelEnd> as TunnelEnd
  await telling.toAll([end])
  assert.ok(told.at(-1)!.length < limits.tunnelDocument, `one that is full fits: ${told.at(-1)!.length}`)
  assert.equal(errors, [])
  lists = [...lists, ...lists]
  await telling.toAll([end])
  assert.ok(errors[0]?.startsWith('The hosts cannot be told of revocation-lists'), 'two that are full do not')
})

test.run()
