/** What a host gets no more: too much at a time, and anything once it was revoked, whoever made it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countingOf } from '../../actors/enrolment/counting.ts'
import { renewalOf } from '../../actors/join-protocol.ts'
import { whileUnrevoked } from '../../actors/vault/join/of-host.ts'
import type { RenewAsked } from '../../actors/vault/join/enrol.ts'
import type { Pki } from '../../actors/vault/pki/pki.ts'
import { Overloaded, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { serialText as textOf } from '../../runtime/x509/serial.ts'
import { serialText } from '../../actors/vault/pki/serials.ts'
import { asked, csrFor, device, joinable, makeToken, type Vaulted } from './join-fixture.ts'
import { oodVault, wanting } from './join-ood-fixture.ts'
import { ZONE } from './pki-fixture.ts'

const failureOf = async (run: () => Promise<unknown>): Promise<ZonewrightError> => {
  try {
    await run()
  } catch (error) {
    return error as ZonewrightError
  }
  throw new Error('It was given')
}
const reasonOf = async (run: () => Promise<unknown>) => (await failureOf(run)).details['reason']
const enrol = async (vault: Vaulted, by: SigningKey, host = 'node1') =>
  vault.enrolling.enrol(await asked(await makeToken(vault, host), host, by))
const renewal = async (by: SigningKey, csr?: string): Promise<RenewAsked> => {
  const { token: _, ...request } = await asked(renewalOf(ZONE, 'node1'), 'node1', by, csr === undefined ? {} : { csr })
  return request
}
const listed = async (pki: Pki): Promise<readonly string[]> =>
  (await pki.revocation.lists()).flatMap(({ list }) => list.revoked.map(({ serial }) => textOf(serial))).sort()

test('a host gets as many certificates in an hour as the limit, and is told when it gets the next', async () => {
  const vault = await joinable()
  const by = device()
  await enrol(vault, by)
  const again = async () => vault.enrolling.renew(await renewal(by))
  await again()
  vault.clock.ms += 1_000
  for (let made = 1; made < limits.hostRenewals; made++) await again()
  const made = async () => (await vault.pki.certificates.page(undefined, 100)).certificates.length
  const before = await made()
  const failed = await failureOf(again)
  assert.instance(failed, Overloaded)
  assert.is(failed.details['retryMs'], limits.hostRenewalMs - 1_000)
  assert.is(await made(), before)
  assert.is((await enrol(vault, device(), 'node2')).retried, false, 'others may')
  vault.clock.ms += limits.hostRenewalMs - 1_000
  await again()
  assert.instance(await failureOf(again), Overloaded)
})

test('the same request of the same device gets the same bytes while they live', async () => {
  const vault = await joinable()
  const by = device()
  const token = await makeToken(vault)
  const joined = await asked(token, 'node1', by)
  const first = await vault.enrolling.enrol(joined)
  const again = await vault.enrolling.renew(await renewal(by, joined.csr))
  assert.equal([again.serial, again.certificate, again.retried], [first.serial, first.certificate, true])
  const csr = await csrFor('node1')
  const second = await vault.enrolling.renew(await renewal(by, csr))
  assert.is(second.retried, false)
  for (let asks = 0; asks <= limits.hostRenewals; asks++) {
    const { retried, certificate, chain } = await vault.enrolling.renew(await renewal(by, csr))
    assert.equal([retried, certificate, chain], [true, second.certificate, second.chain])
  }
  assert.is((await vault.pki.certificates.page(undefined, 100)).certificates.length, 2)
  // Who has only the request has nothing
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(device(), csr))), 'device')
  vault.clock.ms = second.notAfter
  assert.not.equal((await vault.enrolling.renew(await renewal(by, csr))).serial, second.serial)
})

test('another join does not hide that the certificate of a host was revoked', async () => {
  const vault = await joinable()
  const by = device()
  const { serial } = await enrol(vault, by)
  vault.clock.ms += 1_000
  const spare = await makeToken(vault)
  vault.clock.ms += 1_000
  await vault.pki.revocation.revoke(serial)
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(spare, 'node1', by))), 'revoked')
  vault.clock.ms += 1_000
  assert.equal((await enrol(vault, device())).retried, false, 'a token that was made since is for whoever has it')
})

const peer = (host: string) =>
  ({ zone: ZONE, host, actor: 'enrolment', runtimeType: 'kernel-service', incarnation: 1, kid: 'k' })

test('an OOD that is revoked loses every certificate that it or its actors ever got, in both mounts', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  await vault.oods.enrol(host.asked)
  await vault.oods.approve('ood2', vault.document(host.by.public.jwk))
  const { issued } = await vault.oods.enrol(host.asked)
  const { pki, etcd } = vault
  const signed = async (from: Pki, role: string, name: string, holder: string) => serialText((await from.issuing.sign(
    await csrFor(name), await from.roles.read(role), { commonName: name, names: [] },
    { holder, peer: peer(name) }, await whileUnrevoked(vault.barrier, name),
  )).key)
  const listener = await signed(pki, 'ood', 'ood2', 'enrolment@ood2')
  const renewed = await signed(etcd, 'client', 'ood2', 'system-config@ood2')
  const others = [await signed(pki, 'ood', 'ood1', 'enrolment@ood1'), await signed(etcd, 'client', 'ood1', 'a@ood1')]
  await vault.hosts.revoke('ood2', 'owner')
  assert.equal(await listed(pki), [issued!.serial, listener].sort())
  assert.equal(await listed(etcd), [issued!.etcd.serial, renewed].sort())
  for (const serial of others) assert.not.ok([...await listed(pki), ...await listed(etcd)].includes(serial))
  // From then on it gets nothing, also when it was asked for before
  assert.is(await reasonOf(() => signed(pki, 'ood', 'ood2', 'enrolment@ood2')), 'revoked')
})

test('a certificate that is signed while its OOD is revoked is not kept', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  await vault.oods.enrol(host.asked)
  await vault.oods.approve('ood2', vault.document(host.by.public.jwk))
  await vault.oods.enrol(host.asked)
  const beside = await whileUnrevoked(vault.barrier, 'ood2')
  await vault.hosts.revoke('ood2', 'owner')
  const { pki, etcd } = vault
  const before = (await etcd.certificates.page(undefined, 100)).certificates.length
  assert.is(await reasonOf(async () => etcd.issuing.sign(
    await csrFor('ood2'), await etcd.roles.read('client'), { commonName: 'ood2', names: [] },
    { holder: 'system-config@ood2', peer: peer('ood2') }, beside,
  )), 'revoked')
  assert.is((await etcd.certificates.page(undefined, 100)).certificates.length, before)
  // What a crash between left is made good by asking again
  const left = serialText((await pki.issuing.sign(await csrFor('x'), await pki.roles.read('node'), {
    commonName: 'x', names: [],
  }, { holder: 'somebody@ood2' })).key)
  await vault.hosts.revoke('ood2', 'owner')
  assert.ok((await listed(pki)).includes(left))
})

test('the listener remembers as many hosts as the limit', async () => {
  let asks = 0
  const counting = countingOf({
    clock: { monotonic: () => 0 },
    vault: {
      async joinedHost({ host }) {
        asks++
        return { host, role: 'node', device: 'd', serial: '01', serials: ['01'], token: 't', joinedAt: 0 }
      },
    },
  })
  for (let index = 0; index <= limits.enrolmentKnownHosts; index++) await counting.faultOf(`n${index}`, 'node', '01')
  const before = asks
  assert.is(await counting.faultOf(`n${limits.enrolmentKnownHosts}`, 'node', '01'), undefined)
  assert.is(asks, before)
  await counting.faultOf('n0', 'node', '01')
  assert.is(asks, before + 1, 'the first was forgotten')
})

test.run()
