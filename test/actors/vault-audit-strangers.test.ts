/** Who was not let in leaves a trace, and does not fill the disk of the audit. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { JoinRefused, NotInVault } from '../../actors/vault/protocol.ts'
import { Denied } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { as, failure, kernelPeer } from './vault-fixture.ts'
import { openHttpVault } from './vault-http-fixture.ts'

const enrolment = kernelPeer('enrolment')
const stranger = `zwj_${'0'.repeat(20)}_${'A'.repeat(43)}`

test('what strangers try is in the audit up to the limit of each window, and then as a number', async () => {
  const { handlers, root, clock, ask, auditRecords } = await openHttpVault({ audited: true })
  const failed = async (method: string): Promise<readonly AuditRecord[]> =>
    (await auditRecords()).filter((record) => record.method === method && record.outcome === 'failed'
      && record.about?.['by'] !== 'key file')
  const many = async (attempt: () => unknown): Promise<void> => {
    for (let count = 0; count < limits.auditStrangers + 5; count++) await attempt()
  }
  await handlers.ensureAuthorities({}, as(kernelPeer('cert-manager')))
  const join = () => failure(JoinRefused, async () =>
    handlers.checkJoinToken({ token: stranger, host: 'node1' }, as(enrolment)))
  await many(join)
  assert.is((await failed('checkJoinToken')).length, limits.auditStrangers)
  const request = { csr: 'x', device: 'x', proof: 'x', server: 'x', host: 'node1' }
  await clock.advance(limits.auditStrangersMs)
  await many(() => failure(JoinRefused, async () => handlers.renewEnrolment(request, as(enrolment))))
  assert.is((await failed('renewEnrolment')).length, limits.auditStrangers)
  await clock.advance(limits.auditStrangersMs)
  await root('PUT', 'sys/seal')
  const unseal = () => ask('PUT', 'sys/unseal', { body: { key: '00'.repeat(32) } })
  await many(unseal)
  assert.is((await failed('unseal')).length, limits.auditStrangers)
  await clock.advance(limits.auditStrangersMs)
  await unseal()
  const [last] = (await failed('unseal')).slice(-1)
  assert.equal(last!.about, { by: 'shares', unrecorded: 5 })
})

test('that no host of a name has joined is in no audit, however often strangers have it asked', async () => {
  const { handlers, auditRecords } = await openHttpVault({ audited: true })
  const before = (await auditRecords()).length
  for (let count = 0; count < 20; count++) {
    await failure(NotInVault, async () => handlers.joinedHost({ host: `node${count}` }, as(enrolment)))
  }
  assert.equal((await auditRecords()).slice(before).map(({ method }) => method), [])
  // Who may not ask is in it all the same
  await failure(Denied, async () => handlers.joinedHost({ host: 'node1' }, as(kernelPeer('gateway'))))
  assert.equal((await auditRecords()).slice(before).map(({ method, outcome }) => [method, outcome]), [
    ['joinedHost', 'denied'],
  ])
})

test('wrong shares for a root token or a rekey are in the audit', async () => {
  const { ask, auditRecords } = await openHttpVault({ audited: true })
  const wrong = '00'.repeat(32)
  const { body: root } = await ask('PUT', 'sys/generate-root/attempt', { body: {} })
  await ask('PUT', 'sys/generate-root/update', { body: { nonce: root['nonce'], key: wrong } })
  const { body: rekey } = await ask('PUT', 'sys/rekey/init', { body: { secret_shares: 1, secret_threshold: 1 } })
  await ask('PUT', 'sys/rekey/update', { body: { nonce: rekey['nonce'], key: wrong } })
  const told = (await auditRecords()).filter(({ outcome }) => outcome === 'failed')
  assert.equal(told.slice(-2).map(({ method, code }) => [method, code]), [
    ['generate-root', 'VaultSealed'], ['rekey', 'VaultSealed'],
  ])
})

test.run()
