/** A host that joined: its next certificates, one device to a name, and its end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { renewalOf } from '../../actors/join-protocol.ts'
import { createEnrolling, type RenewAsked } from '../../actors/vault/join/enrol.ts'
import { createJoinedHosts } from '../../actors/vault/join/hosts.ts'
import { NotInVault, type Registrar } from '../../actors/vault/protocol.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { asked, device, joinable, makeToken, type Vaulted } from './join-fixture.ts'
import { DAY, keys, random, ZONE } from './pki-fixture.ts'
import { documents } from './registration-fixture.ts'
import { testZone } from './system-config-zone.ts'

const reasonOf = async (run: () => Promise<unknown>): Promise<unknown> => {
  try {
    await run()
  } catch (error) {
    return (error as ZonewrightError).details['reason']
  }
  return 'given'
}
const enrol = async (vault: Vaulted, by: SigningKey, host = 'node1') =>
  vault.enrolling.enrol(await asked(await makeToken(vault, host), host, by))
/** By the certificate of this serial, or without one by the device key alone. */
const renewal = async (by: SigningKey, serial?: string, host = 'node1'): Promise<RenewAsked> => {
  const { token: _, ...request } = await asked(serial ?? renewalOf(ZONE, host), host, by)
  return { ...request, ...(serial === undefined ? {} : { serial }) }
}
const again = async (vault: Vaulted, by: SigningKey) => vault.enrolling.renew(await renewal(by))
const listed = async ({ pki }: Vaulted): Promise<readonly string[]> =>
  (await pki.revocation.lists()).flatMap(({ list }) => list.revoked.map(({ serial }) => serialText(serial))).sort()

test('by its device key a host gets the next certificate until 30 days after the last, forgotten or not', async () => {
  const vault = await joinable()
  const by = device()
  const first = await enrol(vault, by)
  const second = await again(vault, by)
  assert.not.equal(second.serial, first.serial)
  vault.clock.ms = second.notAfter + limits.joinRenewalSeconds * 1_000
  await vault.pki.tidy()
  assert.is(await vault.pki.certificates.find(second.serial.replaceAll(':', '')), undefined)
  const third = await again(vault, by)
  vault.clock.ms = third.notAfter + limits.joinRenewalSeconds * 1_000 + 1
  assert.is(await reasonOf(() => again(vault, by)), 'ended')
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(by, third.serial))), 'ended')
  // By a token it comes back
  assert.is((await enrol(vault, by)).device, by.public.kid)
})

test('the proof of a renewal without a certificate is for that, for this host, and for nothing else', async () => {
  const vault = await joinable()
  const by = device()
  const { serial } = await enrol(vault, by)
  const other = await renewal(by)
  assert.is(await reasonOf(() => vault.enrolling.renew({ ...other, serial })), 'proof')
  const { serial: _, ...without } = await renewal(by, serial)
  assert.is(await reasonOf(() => vault.enrolling.renew(without)), 'proof')
  assert.is(await reasonOf(() => vault.enrolling.renew({ ...other, server: 'another server' })), 'proof')
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(device()))), 'device')
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(by, undefined, 'node2'))), 'device')
})

test('the name of a client device is no other device’s, for good: lines of the policy name it', async () => {
  const vault = await joinable()
  const [mine, theirs] = [device(), device()]
  const laptop = { role: 'client-device' as const, owner: 'alice' }
  const join = async (by: SigningKey, role: 'client-device' | 'node' = 'client-device') => {
    const token = await makeToken(vault, 'laptop', role === 'node' ? {} : laptop)
    return vault.enrolling.enrol(await asked(token, 'laptop', by, { role }))
  }
  await join(mine)
  vault.clock.ms += 1
  await vault.hosts.revoke('laptop', 'owner')
  vault.clock.ms += 1
  assert.is(await reasonOf(() => join(theirs)), 'owned')
  // As anything else it would become a client device next
  assert.is(await reasonOf(() => join(theirs, 'node')), 'owned')
  assert.is((await join(mine)).device, mine.public.kid, 'that device itself comes back')
})

test('a name belongs to the device that joined, until it is revoked', async () => {
  const vault = await joinable()
  const [mine, theirs] = [device(), device()]
  const token = await makeToken(vault)
  const request = await asked(token, 'node1', mine)
  const { serial } = await vault.enrolling.enrol(request)
  // Tokens of one moment are listed by their ids, which are random
  vault.clock.ms += 1
  const spare = await makeToken(vault)
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(spare, 'node1', theirs))), 'taken')
  assert.equal((await vault.tokens.list()).map(({ state, refused }) => [state, refused]), [['used', 0], ['open', 1]])
  assert.is((await vault.enrolling.enrol(await asked(await makeToken(vault), 'node1', mine))).device, mine.public.kid)

  vault.clock.ms += 1
  await vault.hosts.revoke('node1', 'owner')
  // Its tokens of before are good for nobody, and what was given by one is not given again
  assert.is(await reasonOf(() => vault.enrolling.enrol(request)), 'revoked')
  for (const by of [mine, theirs]) {
    assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(spare, 'node1', by))), 'revoked')
  }
  vault.clock.ms += 1
  assert.is((await enrol(vault, theirs)).device, theirs.public.kid)
  assert.is(await reasonOf(() => vault.enrolling.enrol(request)), 'revoked', 'the name is another device’s')
  assert.is(await reasonOf(() => again(vault, mine)), 'device')
  assert.ok((await listed(vault)).includes(serial))
})

test('who is revoked loses every certificate that is good still, once, and gets none', async () => {
  const vault = await joinable()
  const by = device()
  const first = await enrol(vault, by)
  const second = await vault.enrolling.renew(await renewal(by, first.serial))
  const third = await again(vault, by)
  const { revokedAt } = await vault.hosts.revoke('node1', 'owner')
  assert.equal(await listed(vault), [first, second, third].map(({ serial }) => serial).sort())
  vault.clock.ms += 60_000
  const told = await vault.hosts.revoke('node1', 'somebody else')
  assert.equal([told.revokedAt, told.revokedBy, told.serial], [revokedAt, 'owner', third.serial])
  assert.is(await reasonOf(() => again(vault, by)), 'revoked')
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(by, third.serial))), 'revoked')
  let failed: unknown
  await vault.hosts.revoke('node9', 'owner').catch((error: unknown) => { failed = error })
  assert.instance(failed, NotInVault)
})

test('a certificate that is made while its host is revoked is revoked as well, or not made', async () => {
  const vault = await joinable()
  const by = device()
  const first = await enrol(vault, by)
  const { pki, barrier, clock, tokens, signer } = vault
  const ports = { barrier, keys, random, clock, zone: ZONE, signer }
  // The host renews when its serials were read, and the list is not written yet
  let raced = false
  const slow = createJoinedHosts({ ...ports, pki: { ...pki, revocation: {
    ...pki.revocation,
    async revokeAll(...given) {
      if (!raced) {
        raced = true
        await again(vault, by)
      }
      return pki.revocation.revokeAll(...given)
    },
  } } })
  const { serial } = await slow.revoke('node1', 'owner')
  assert.equal((await listed(vault)).length, 2)
  assert.not.equal(serial, first.serial)
  // The other way round: the host is revoked when its next certificate is signed, and not kept yet
  const other = device()
  await enrol(vault, other, 'node2')
  const racing = createEnrolling({ ...ports, tokens, pki: { ...pki, issuing: {
    ...pki.issuing,
    async sign(...given) {
      await vault.hosts.revoke('node2', 'owner')
      return pki.issuing.sign(...given)
    },
  } } })
  assert.is(await reasonOf(async () => racing.renew(await renewal(other, undefined, 'node2'))), 'revoked')
  const { certificates } = await pki.certificates.page(undefined, 100)
  assert.ok(certificates.every(({ revokedAt }) => revokedAt !== undefined))
})

test('of a host that starts over and over as many certificates count as the limit, and the newest', async () => {
  const vault = await joinable()
  const by = device()
  const serials = [(await enrol(vault, by)).serial]
  for (let made = 0; made < limits.hostCertificates; made++) serials.push((await again(vault, by)).serial)
  assert.equal(await listed(vault), [])
  const last = await again(vault, by)
  assert.equal(await listed(vault), [], 'a list is for who was revoked')
  assert.equal((await vault.hosts.read('node1')).serials, [...serials.slice(1), last.serial])
  vault.clock.ms = last.notAfter + 1
  const { serial } = await again(vault, by)
  await vault.hosts.revoke('node1', 'owner')
  // What has ended needs no entry
  assert.equal(await listed(vault), [serial])
})

test('whoever revokes the certificate of a host has revoked the host, before that is forgotten', async () => {
  const vault = await joinable()
  const by = device()
  const { serial, notAfter } = await enrol(vault, by)
  await enrol(vault, device(), 'node2')
  await vault.pki.revocation.revoke(serial)
  assert.is(await reasonOf(() => again(vault, by)), 'revoked')
  const { hosts, more } = await vault.hosts.page(undefined, 10)
  assert.equal([hosts.map(({ host, revokedAt }) => [host, revokedAt !== undefined]), more],
    [[['node1', true], ['node2', false]], false])
  vault.clock.ms = notAfter + 10 * DAY
  await vault.pki.tidy()
  assert.is(await reasonOf(() => again(vault, by)), 'revoked')
})

test('hosts are paged by name', async () => {
  const vault = await joinable()
  for (const host of ['node1', 'node2', 'node3']) await enrol(vault, device(), host)
  const names = async (after: string | undefined) => {
    const { hosts, more } = await vault.hosts.page(after, 2)
    return [hosts.map(({ host }) => host), more]
  }
  assert.equal(await names(undefined), [['node1', 'node2'], true])
  assert.equal(await names('node2'), [['node3'], false])
})

test('the document of a host, as that of a node, is signed in the transaction that uses its token up', async () => {
  const vault = await joinable()
  const zone = testZone()
  const { standing } = documents(zone, await vault.signer())
  const registrar: Registrar = { ...standing, owner: 'alice' }
  const by = device()
  const token = await makeToken(vault)
  const request = { ...await asked(token, 'node1', by), registrar }
  const { document } = await vault.enrolling.enrol(request)
  assert.is((await vault.hosts.read('node1')).document, document)
  const retry = await vault.enrolling.enrol(request)
  assert.equal([retry.document, retry.retried], [document, true])
  assert.is((await again(vault, by)).document, document, 'it stays the same')
  // Of the zone of the fixture, which is another one than that of its owner here: only its words count
  const payload = JSON.parse(new TextDecoder().decode(Buffer.from(document!.split('.')[1]!, 'base64url'))) as object
  assert.equal({ ...payload, iat: 0 }, {
    zone: ZONE, name: 'node1', role: 'node', key: by.public.jwk, owner: 'alice', iat: 0, enrolment: standing,
  } as object)
  assert.is(readDeviceBy(keys, { zone: ZONE, root: zone.owner.public.jwk })(document!), undefined)
})

test.run()
