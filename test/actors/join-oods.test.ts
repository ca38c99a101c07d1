/** Who becomes an OOD: by whose signature, for which key, and what is given to nobody else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openUnsealKey, sealUnsealKey } from '../../actors/sealed-unseal-key.ts'
import { ownerWordOf } from '../../actors/vault/join/approval.ts'
import { NotInVault } from '../../actors/vault/protocol.ts'
import { Denied, InvalidArgument, type ZonewrightError } from '../../runtime/errors.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { asked as askedByNode, csrFor, device } from './join-fixture.ts'
import { oodVault, UNSEAL_KEY, wanting, type OodVault, type Wanting } from './join-ood-fixture.ts'
import { keys, openssl, random, ZONE } from './pki-fixture.ts'

const reasonOf = async (run: () => Promise<unknown> | unknown): Promise<unknown> => {
  try {
    await run()
  } catch (error) {
    return (error as ZonewrightError).details['reason'] ?? (error as ZonewrightError).code
  }
  return 'given'
}
const approved = async (vault: OodVault, { by, asked }: Wanting): Promise<string> => {
  await vault.oods.enrol(asked)
  const document = vault.document(by.public.jwk)
  await vault.oods.approve('ood2', document)
  return document
}
const open = ({ agreement, by }: Wanting, unseal: Parameters<typeof openUnsealKey>[1]): string | undefined =>
  openUnsealKey(keys, unseal, agreement, { zone: ZONE, host: 'ood2', to: by.public.kid })

test('before the owner has signed nothing is given, afterwards its certificates and the unseal key', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  for (let polls = 0; polls < 3; polls++) {
    const { request, issued } = await vault.oods.enrol(host.asked)
    assert.is(issued, undefined)
    assert.is(request.device, host.by.public.kid)
  }
  const count = async () => (await vault.pki.certificates.page(undefined, 100)).certificates.length
    + (await vault.etcd.certificates.page(undefined, 100)).certificates.length
  const before = await count()
  const document = vault.document(host.by.public.jwk)
  await vault.oods.approve('ood2', document)
  assert.is(await count(), before)
  const { issued } = await vault.oods.enrol(host.asked)
  assert.is(issued!.document, document)
  const text = openssl({ pem: issued!.certificate }, 'x509', '-in', 'pem', '-noout', '-ext', 'subjectAltName')
  assert.match(text, new RegExp(`URI:spiffe://${ZONE}/ood/ood2`))
  assert.not.match(text, /spiffe.*spiffe|node/)
  assert.match(openssl({ pem: issued!.etcd.certificate }, 'x509', '-in', 'pem', '-noout', '-subject'), /CN ?= ?ood2/)
  assert.is(open(host, issued!.unseal), UNSEAL_KEY)
  assert.equal((await vault.hosts.read('ood2')).role, 'ood')
  assert.is(await count(), before + 2)
  assert.equal(await vault.oods.requests(), [])
})

test('the unseal key opens for the key that it was sealed to, in this zone, for this host, and in no other way', () => {
  const own = keys.agreement(random)
  const between = { zone: ZONE, host: 'ood2', from: 'first', to: 'second' }
  const sealed = sealUnsealKey({ keys, random }, UNSEAL_KEY, own.publicKey, between)
  assert.is(openUnsealKey(keys, sealed, own, between), UNSEAL_KEY)
  assert.not.ok(JSON.stringify(sealed).includes(UNSEAL_KEY))
  assert.is(openUnsealKey(keys, sealed, keys.agreement(random), between), undefined)
  for (const other of [{ zone: 'z2' }, { host: 'ood3' }, { to: 'third' }]) {
    assert.is(openUnsealKey(keys, sealed, own, { ...between, ...other }), undefined, JSON.stringify(other))
  }
  assert.is(openUnsealKey(keys, { ...sealed, from: 'another' }, own, between), undefined)
  const again = sealUnsealKey({ keys, random }, UNSEAL_KEY, own.publicKey, between)
  assert.is(openUnsealKey(keys, { ...sealed, key: again.key }, own, between), undefined)
  const box = fromBase64url(sealed.box)!
  for (const at of [0, 11, 12, box.length - 1]) {
    const changed = box.map((byte, index) => (index === at ? byte ^ 1 : byte))
    assert.is(openUnsealKey(keys, { ...sealed, box: toBase64url(changed) }, own, between), undefined)
  }
  for (const short of ['', '!', toBase64url(box.subarray(0, 12))]) {
    assert.is(openUnsealKey(keys, { ...sealed, box: short }, own, between), undefined)
  }
  assert.throws(() => sealUnsealKey({ keys, random }, UNSEAL_KEY, new Uint8Array(32), between), isDenied)
})
const isDenied = (error: unknown): boolean => error instanceof Denied

test('only a document by which the owner makes this key an OOD of this name approves it', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  await vault.oods.enrol(host.asked)
  const { public: { jwk } } = host.by
  const enrolment = await vault.signer()
  const { standing } = vault
  const wrong: readonly (readonly [string, string])[] = [
    [vault.document(jwk, {}, device()), 'InvalidArgument'],
    [vault.document(jwk, { enrolment: standing }, enrolment), 'InvalidArgument'],
    [vault.document(jwk, { role: 'node', enrolment: standing }, enrolment), 'InvalidArgument'],
    [vault.document(jwk, { enrolment: standing }), 'InvalidArgument'],
    [vault.document(jwk, { zone: 'z2' }), 'InvalidArgument'],
    [vault.document(jwk, { role: 'node' }), 'approval'],
    [vault.document(jwk, { name: 'ood3' }), 'approval'],
    [vault.document(device().public.jwk), 'NotInVault'],
    ['', 'InvalidArgument'],
  ]
  for (const [document, reason] of wrong) {
    assert.is(await reasonOf(() => vault.oods.approve('ood2', document)), reason, document)
    assert.is((await vault.oods.enrol(host.asked)).issued, undefined)
  }
  assert.is(await reasonOf(() => vault.oods.approve('ood3', vault.document(jwk, { name: 'ood3' }))), 'NotInVault')
})

test('the owner’s word is for one key, and is asked for again when something is given', async () => {
  const vault = await oodVault()
  const { owner, given } = vault
  const word = ownerWordOf(keys, ZONE, given)
  const [mine, theirs] = [device().public.jwk, device().public.jwk]
  word.demand(vault.document(mine), 'ood2', mine)
  assert.is(await reasonOf(() => word.demand(vault.document(theirs), 'ood2', mine)), 'approval')
  assert.is(await reasonOf(() => word.demand(vault.document(mine), 'ood3', mine)), 'approval')
  assert.is(await reasonOf(() => word.demand(vault.document(mine, { role: 'node' }, owner), 'ood2', mine)), 'approval')
  assert.is(await reasonOf(() => word.demand(vault.document(mine, {}, device()), 'ood2', mine)), 'approval')
  assert.is(await reasonOf(() => ownerWordOf(keys, 'z2', given)), 'approval')
  assert.is(await reasonOf(() => ownerWordOf(keys, ZONE, { ...given, zone: '' })), 'approval')
  assert.is(await reasonOf(() => ownerWordOf(keys, ZONE, { ...given, device: '' })), 'approval')
})

test('a token is for its role: an OOD’s makes no node, a node’s no OOD, and both attempts are counted', async () => {
  const vault = await oodVault()
  const ofOod = await vault.token('ood2')
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await askedByNode(ofOod, 'ood2', device()))), 'role')
  const { token: ofNode } = await vault.tokens.create({ host: 'ood2', role: 'node', by: 'owner' })
  assert.is(await reasonOf(async () => vault.oods.enrol((await wanting(ofNode)).asked)), 'role')
  const counted = (await vault.tokens.list()).map(({ role, refused }) => `${role} ${refused}`).sort()
  assert.equal(counted, ['node 1', 'ood 1'])
  await vault.tokens.create({ host: 'ood2', role: 'gateway', by: 'owner' }).then(() => assert.unreachable(), (error) =>
    assert.instance(error, InvalidArgument))
})

test('a token belongs to the device that asked first, for what it asked first', async () => {
  const vault = await oodVault()
  const token = await vault.token()
  const host = await wanting(token)
  await vault.oods.enrol(host.asked)
  const thief = await wanting(token)
  assert.is(await reasonOf(() => vault.oods.enrol(thief.asked)), 'used')
  await vault.oods.approve('ood2', vault.document(host.by.public.jwk))
  assert.is(await reasonOf(() => vault.oods.enrol(thief.asked)), 'used', 'what was approved is for another key')
  const { csr, etcdCsr, agreement } = host.asked
  const copied = await wanting(token, { csr, etcdCsr, agreement })
  assert.is(await reasonOf(() => vault.oods.enrol(copied.asked)), 'used', 'with copies of the first one’s requests')
  const others = [{ agreement: thief.asked.agreement }, { csr: thief.asked.csr }, { etcdCsr: thief.asked.etcdCsr }]
  for (const changes of others) {
    const other = await wanting(token, { ...host.asked, proof: undefined!, ...changes }, host.by)
    assert.is(await reasonOf(() => vault.oods.enrol(other.asked)), 'used', JSON.stringify(Object.keys(changes)))
  }
  assert.is((await vault.tokens.list())[0]!.refused, 6)
  assert.is(open(host, (await vault.oods.enrol(host.asked)).issued!.unseal), UNSEAL_KEY)
})

test('the device signs both requests, the key to seal to, the token and the server', async () => {
  const vault = await oodVault()
  const token = await vault.token()
  const { asked, by } = await wanting(token)
  const other = await wanting(token, {}, by)
  const changed: readonly [Partial<typeof asked>, string][] = [
    [{ csr: other.asked.csr }, 'proof'], [{ etcdCsr: other.asked.etcdCsr }, 'proof'],
    [{ agreement: other.asked.agreement }, 'proof'], [{ server: 'another' }, 'proof'],
    [{ proof: other.asked.proof }, 'proof'], [{ device: (await wanting(token)).asked.device }, 'proof'],
    [{ proof: (await askedByNode(token, 'ood2', by, { csr: asked.csr })).proof }, 'proof'],
    [{ device: (await wanting(token, { role: 'node' }, by)).asked.device }, 'device'],
    [{ device: (await wanting(token, { name: 'ood3' }, by)).asked.device }, 'device'],
    [{ device: (await wanting(token, { zone: 'z2' }, by)).asked.device }, 'device'],
    [{ device: 'x' }, 'device'],
  ]
  for (const [changes, reason] of changed) {
    assert.is(await reasonOf(() => vault.oods.enrol({ ...asked, ...changes })), reason, JSON.stringify(changes))
  }
  const short = await wanting(token, { agreement: toBase64url(random.bytes(31)) }, by)
  assert.is(await reasonOf(() => vault.oods.enrol(short.asked)), 'proof')
  assert.equal(await vault.oods.requests(), [])
})

test('it is certified under its own name, and asks for no other', async () => {
  const vault = await oodVault()
  const token = await vault.token()
  for (const changes of [
    { csr: await csrFor('ood1') }, { etcdCsr: await csrFor('ood1') },
    { csr: await csrFor('ood2', [{ type: 'uri', value: `spiffe://${ZONE}/ood/ood1` }]) },
    { csr: await csrFor('ood2', [{ type: 'dns', value: 'ood1' }]) },
    { etcdCsr: await csrFor('ood2', [{ type: 'dns', value: 'ood1' }]) },
  ]) {
    assert.is(await reasonOf(async () => vault.oods.enrol((await wanting(token, changes)).asked)), 'name')
  }
  assert.equal(await vault.oods.requests(), [])
})

test('the same request gets the same bytes, until something of it is revoked', async () => {
  const revocations: readonly ((vault: OodVault, serial: string, etcd: string) => Promise<unknown>)[] = [
    (vault) => vault.hosts.revoke('ood2', 'owner'), ({ pki }, serial) => pki.revocation.revoke(serial),
    ({ etcd }, _, serial) => etcd.revocation.revoke(serial),
  ]
  for (const revoke of revocations) {
    const vault = await oodVault()
    const host = await wanting(await vault.token())
    await approved(vault, host)
    const { issued: first } = await vault.oods.enrol(host.asked)
    const { issued: second } = await vault.oods.enrol(host.asked)
    assert.equal({ ...second, retried: false }, first)
    assert.is(second!.retried, true)
    await revoke(vault, first!.serial, first!.etcd.serial)
    assert.is(await reasonOf(() => vault.oods.enrol(host.asked)), 'revoked')
  }
})

test('who revokes an OOD revokes both of its certificates', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  await approved(vault, host)
  const { issued } = await vault.oods.enrol(host.asked)
  await vault.hosts.revoke('ood2', 'owner')
  for (const [pki, serial] of [[vault.pki, issued!.serial], [vault.etcd, issued!.etcd.serial]] as const) {
    assert.ok((await pki.certificates.read(serial)).stored.revokedAt)
  }
})

test('who is refused is told so, is approved no more, and does not wait', async () => {
  const vault = await oodVault()
  const host = await wanting(await vault.token())
  await vault.oods.enrol(host.asked)
  assert.is(await reasonOf(() => vault.oods.refuse('ood2', 'another key', 'owner')), 'NotInVault')
  const told = await vault.oods.refuse('ood2', host.by.public.kid, 'owner')
  assert.is(told.refusedBy, 'owner')
  assert.is(await reasonOf(() => vault.oods.enrol(host.asked)), 'refused')
  assert.is(await reasonOf(() => vault.oods.approve('ood2', vault.document(host.by.public.jwk))), 'refused')
  assert.is(await reasonOf(() => vault.oods.enrol(host.asked)), 'refused')
})

test('a token that is over or revoked approves nobody and gives nothing', async () => {
  const vault = await oodVault()
  const [late, revoked] = [
    await wanting(await vault.token('ood2', { ttlSeconds: 60 })), await wanting(await vault.token()),
  ]
  await approved(vault, revoked)
  await vault.tokens.revoke(revoked.asked.token.split('_')[1]!)
  assert.is(await reasonOf(() => vault.oods.enrol(revoked.asked)), 'revoked')
  await vault.oods.enrol(late.asked)
  vault.clock.ms += 60_000
  assert.is(await reasonOf(() => vault.oods.enrol(late.asked)), 'expired')
  await vault.oods.approve('ood2', vault.document(late.by.public.jwk)).then(() => assert.unreachable(), (error) =>
    assert.instance(error, NotInVault))
  assert.equal(await vault.oods.requests(), [])
})

test('no OOD takes the name of a node, no node that of an OOD, and an OOD is certified as no node', async () => {
  const vault = await oodVault()
  const node = device()
  const { token } = await vault.tokens.create({ host: 'ood2', role: 'node', by: 'owner' })
  await vault.enrolling.enrol(await askedByNode(token, 'ood2', node))
  assert.is(await reasonOf(async () => vault.oods.enrol((await wanting(await vault.token())).asked)), 'taken')
  const other = await oodVault()
  const host = await wanting(await other.token())
  await approved(other, host)
  await other.oods.enrol(host.asked)
  const { token: spare } = await other.tokens.create({ host: 'ood2', role: 'node', by: 'owner' })
  assert.is(await reasonOf(async () => other.enrolling.enrol(await askedByNode(spare, 'ood2', host.by))), 'taken')
  const { token: _, ...renewal } = await askedByNode(
    `zonewright renewal of ood2 in ${ZONE}`, 'ood2', host.by, { role: 'ood' })
  assert.is(await reasonOf(() => other.enrolling.renew(renewal)), 'role')
  const registrar = { ...other.standing, owner: 'alice' }
  const { document } = await other.hosts.register('ood2', registrar)
  assert.is(document, other.document(host.by.public.jwk), 'the owner’s document stays')
})

test('no OOD takes the name that a client device has had, also when the owner has signed for it', async () => {
  const vault = await oodVault()
  const laptop = device()
  const before = await wanting(await vault.token())
  await vault.oods.enrol(before.asked)
  const signed = await wanting(await vault.token())
  await approved(vault, signed)
  const { token } = await vault.tokens.create({ host: 'ood2', role: 'client-device', by: 'owner', owner: 'alice' })
  await vault.enrolling.enrol(await askedByNode(token, 'ood2', laptop, { role: 'client-device' }))
  assert.is(await reasonOf(() => vault.oods.enrol(before.asked)), 'taken')
  vault.clock.ms += 1
  await vault.hosts.revoke('ood2', 'owner')
  vault.clock.ms += 1
  assert.is(await reasonOf(() => vault.oods.approve('ood2', vault.document(before.by.public.jwk))), 'owned')
  for (const { asked } of [before, signed]) assert.is(await reasonOf(() => vault.oods.enrol(asked)), 'owned')
  const after = await vault.token()
  for (const by of [device(), laptop]) {
    assert.is(await reasonOf(async () => vault.oods.enrol((await wanting(after, {}, by)).asked)), 'owned')
  }
  assert.equal((await vault.hosts.read('ood2')).role, 'client-device')
})

test.run()
