/** What bounds the vault's certificates: the last that is allowed passes, the next has its documented end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { requestIntermediate } from '../../actors/vault/pki/own-authorities.ts'
import { pkiEngine } from '../../actors/vault/pki/http/engine.ts'
import { nextList } from '../../actors/vault/pki/revocation-list.ts'
import { withRoom } from '../../actors/vault/pki/rotation.ts'
import type { StoredAuthority } from '../../actors/vault/pki/authority-record.ts'
import { certificatePath } from '../../actors/vault/pki/certificates.ts'
import { InvalidArgument, LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { mounted, sign, START, withRole, zoned } from '../actors/pki-fixture.ts'
import { failure } from '../actors/vault-fixture.ts'

const test = suite('limits of certificates')

test('a mount keeps so many authorities: one more makes the oldest that is revoked be forgotten, or is refused', () => {
  const one = (index: number, state: StoredAuthority['state']): StoredAuthority => ({
    id: `${index}`, kind: 'root', state, key: null, certificate: '', signedBy: '', crossSigned: [], above: [],
    overEnd: 'err',
  })
  const some = (count: number, state: StoredAuthority['state']) =>
    Array.from({ length: count }, (_, index) => one(index, state))
  const full = some(limits.vaultAuthorities, 'tainted')
  assert.is(withRoom(full).length, limits.vaultAuthorities)
  assert.throws(() => withRoom([...full, one(99, 'next')]), (error: Error) => error instanceof LimitExceeded)
  const revoked = [one(98, 'revoked'), ...full.slice(1), one(99, 'next')]
  assert.equal(withRoom(revoked).map(({ id }) => id), [...full.slice(1).map(({ id }) => id), '99'])
})

test('a revocation list has so many certificates, and one more is refused', async () => {
  const { pki } = await zoned()
  const { signer } = await pki.authorities.fresh()
  const revoked = Array.from({ length: limits.vaultRevoked }, (_, index) => ({
    serial: Uint8Array.of(1, index >> 16, (index >> 8) & 0xff, index & 0xff), at: START, reason: 'superseded' as const,
  }))
  const how = { now: START, lifeMs: 60_000 }
  const { change } = nextList(signer!, undefined, revoked, how)
  assert.ok((change.value as Uint8Array).length < limits.valueBytes, 'it fits into one entry of a store')
  const more = { serial: Uint8Array.of(9), at: START }
  const isLimit = (error: Error): boolean => error instanceof LimitExceeded
  assert.throws(() => nextList(signer!, undefined, [...revoked, more], how), isLimit)
})

test('a page of the inventory has at most so many certificates', async () => {
  const { pki } = await withRole({})
  await pki.certificates.page(undefined, limits.vaultCertificatePage)
  for (const limit of [limits.vaultCertificatePage + 1, 0, Number.NaN]) {
    await failure(InvalidArgument, () => pki.certificates.page(undefined, limit))
  }
})

test('a list of serials by HTTP has at most so many, and says that there are more', async () => {
  const { pki, barrier } = await withRole({})
  for (let from = 0; from <= limits.vaultCertificateKeys; from += 1_000) {
    const count = Math.min(1_000, limits.vaultCertificateKeys + 1 - from)
    await barrier.commit([], Array.from({ length: count }, (_, index) => ({
      path: `mine/${certificatePath((0x1000_0000 + from + index).toString(16))}`, value: Uint8Array.of(0),
    })))
  }
  const engine = pkiEngine(pki)
  const list = (data: Record<string, unknown>) => engine.handle({ operation: 'list', path: 'certs', data, holder: '' })
  const first = await list({})
  const keys = first.data!['keys'] as string[]
  assert.equal([keys.length, first.warnings?.length], [limits.vaultCertificateKeys, 1])
  const rest = await list({ after: keys.at(-1) })
  assert.equal([(rest.data!['keys'] as string[]).length, rest.warnings], [1, undefined])
})

test('a tidy takes so many certificates in one transaction, and goes on with the rest', async () => {
  const made = await withRole({})
  const count = limits.vaultTidyBatch + 1
  for (let index = 0; index < count; index++) await sign(made, 'web', { commonName: 'localhost' }, { ttl: 60 })
  made.clock.ms += 120_000
  const before = await made.store.revision()
  assert.is((await made.pki.tidy(0)).removed, count)
  assert.is(await made.store.revision(), before + 2)
})

test('a skew is taken for at most so long, and a role cannot say more', async () => {
  const made = await withRole({ not_before_duration: limits.vaultSkewMs / 1_000 })
  const { notBefore } = await sign(made, 'web', { commonName: 'localhost' }, { skewMs: limits.vaultSkewMs + 60_000 })
  assert.is(notBefore, START - 2 * limits.vaultSkewMs)
  const longer = { not_before_duration: limits.vaultSkewMs / 1_000 + 1 }
  await failure(InvalidArgument, () => made.pki.roles.write('web', longer))
})

test('a mount has so many roles, and a list in a role so many words', async () => {
  const { pki } = mounted('mine')
  for (let index = 0; index < limits.vaultRoles; index++) await pki.roles.write(`r${index}`, {})
  await failure(LimitExceeded, () => pki.roles.write('one-more', {}))
  await pki.roles.write('r0', { allow_any_name: true })
  await pki.roles.remove('r1')
  await pki.roles.write('one-more', {})
  const words = (count: number) => ({
    allowed_domains: Array.from({ length: count }, (_, index) => `d${index}.example`),
  })
  await pki.roles.write('r0', words(limits.vaultRoleWords))
  await failure(InvalidArgument, () => pki.roles.write('r0', words(limits.vaultRoleWords + 1)))
})

test('so many keys wait for their certificate, and one more is refused', async () => {
  const { pki } = mounted('mine')
  const wish = { subject: encodeName([{ type: 'CN', value: 'x' }]), keyType: 'ec-p256' as const }
  for (let index = 0; index < limits.vaultPendingKeys; index++) await requestIntermediate(pki, wish)
  await failure(LimitExceeded, () => requestIntermediate(pki, wish))
})

test.run()
