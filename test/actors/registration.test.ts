/** Device documents by an enrolment key: who takes them, who writes them, and that the vault and `kv://` agree. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readDeviceBy } from '../../actors/read-device.ts'
import { kv } from '../../actors/records.ts'
import { createRegistration } from '../../actors/system-config/registration.ts'
import { KnownHosts } from '../../boot/known-hosts.ts'
import { RevisionMismatch, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { device } from './join-fixture.ts'
import { documents, enrolmentPeer, registering, ZONE } from './registration-fixture.ts'
import { crypto, denied, failure, peer, testZone } from './system-config-zone.ts'

const newKey = () => crypto.generate(systemRandom)

test('a document is taken by the owner key, or by an enrolment key that an OOD stands for, and by nothing else', () => {
  const zone = testZone()
  const [enrolment, other] = [newKey(), newKey()]
  const { enrolled, device: signed, certificate, standing, ood } = documents(zone, enrolment)
  const read = readDeviceBy(crypto, { zone: ZONE, root: zone.owner.public.jwk })
  assert.equal([read(enrolled())?.name, read(enrolled())?.role], ['node1', 'node'])
  assert.is(read(signed(zone.owner, {}))?.enrolment, undefined)
  const node = signed(zone.owner, { name: 'node2', key: other.public.jwk })
  const foreign = { ...standing, ood: signed(other, { name: 'ood1', role: 'ood', key: zone.device.public.jwk }) }
  const wrong: Readonly<Record<string, string>> = {
    'of an OOD': enrolled({ role: 'ood' }),
    'of the OOD itself, as a node': enrolled({ name: 'ood1' }),
    'of another zone': enrolled({ zone: 'z2' }),
    'of a name of the system': enrolled({ name: 'vault' }),
    'by another key': enrolled({}, other),
    'without what it stands by': signed(enrolment, {}),
    'by the owner, with something to stand by': signed(zone.owner, { enrolment: standing }),
    'by the key of the OOD': signed(zone.device, { enrolment: standing }),
    'certified by a node': enrolled({
      enrolment: { ood: node, certificate: certificate(other, { host: 'node2' }) },
    }),
    'certified by the OOD of another owner': enrolled({ enrolment: foreign }),
    'certified by nobody we know': enrolled({ enrolment: { ood, certificate: certificate(other) } }),
    'certified for another zone': enrolled({
      enrolment: { ood, certificate: certificate(zone.device, { zone: 'z2' }) },
    }),
    'certified in the name of another OOD': enrolled({
      enrolment: { ood, certificate: certificate(zone.device, { host: 'ood2' }) },
    }),
    'with a node in place of the certificate': enrolled({ enrolment: { ood, certificate: node } }),
    'cut off': enrolled().slice(0, -2),
  }
  for (const [what, text] of Object.entries(wrong)) assert.is(read(text), undefined, what)
})

test('as many certificates as the limit are remembered, and one that was forgotten counts again', () => {
  const zone = testZone()
  const enrolment = newKey()
  const { enrolled, certificate, ood } = documents(zone, enrolment)
  const read = readDeviceBy(crypto, { zone: ZONE, root: zone.owner.public.jwk })
  const by = (iat: number): string => enrolled({ enrolment: { ood, certificate: certificate(zone.device, { iat }) } })
  const all = Array.from({ length: limits.enrolmentStandings + 1 }, (_, iat) => by(iat))
  for (const text of [...all, ...all]) assert.is(read(text)?.name, 'node1')
})

test('a supervisor trusts the devices that are registered, in the name that they have', () => {
  const zone = testZone()
  const { enrolled, ood } = documents(zone, newKey())
  const known = new KnownHosts(crypto, { zone: ZONE, root: zone.owner.public.jwk })
  const { devices } = known.read({
    [kv.device('ood1')]: ood, [kv.device('node1')]: enrolled(), [kv.device('node2')]: enrolled(),
    [kv.device('node3')]: enrolled({ name: 'node3', role: 'ood' }),
  })
  assert.equal(devices.map(({ host, role }) => [host, role]), [['ood1', 'ood'], ['node1', 'node']])
})

test('enrolment writes what an enrolment key of now signed, where the owner signed nothing, and no more', async () => {
  const { zone, running, config, root } = await registering()
  const enrolment = newKey()
  const { enrolled, standing, device: signed, certificate, ood } = documents(zone, enrolment)
  await config.set({ key: kv.enrolment('ood1'), value: standing.certificate })
  const write = (key: string, value: string, revision = 0, by = config) => by.execTx({
    actions: { [key]: revision === 0 ? { action: 'create', value } : { action: 'update', value } },
    mainKey: { key, revision },
  })
  const refused = (...args: Parameters<typeof write>) => denied(() => write(...args))
  const key = kv.device('node1')
  const session = zone.tokens.session('enrolment')
  for (const by of [
    running.as(session), running.as(session, peer('enrolment')),
    running.as(zone.tokens.session('gateway'), enrolmentPeer),
    running.as(zone.tokens.session('enrolment', { runtime_type: 'service' }), enrolmentPeer),
    running.as(zone.tokens.device(), enrolmentPeer), running.as(session, peer('gateway', { runtimeType: 'gateway' })),
  ]) assert.is(await refused(key, enrolled(), 0, by), 'rbac/root-only')
  const other = certificate(zone.device, { iat: 2 })
  for (const value of [
    signed(zone.owner, {}), enrolled({ role: 'ood' }), enrolled({ name: 'node2' }), enrolled({}, newKey()), 'x',
    enrolled({ enrolment: { ood, certificate: other } }),
  ]) assert.is(await refused(key, value), 'rbac/root-only')
  await failure(RevisionMismatch, () => write(key, enrolled(), 7))
  const both = { [key]: { action: 'create' as const, value: enrolled() },
    'system/enrolment/x': { action: 'create' as const, value: 'x' } }
  assert.is(await denied(() => config.execTx({ actions: both, mainKey: { key, revision: 0 } })), 'rbac/root-only')
  assert.is(await denied(() => config.execTx({ actions: { [key]: { action: 'create', value: enrolled() } } })),
    'rbac/root-only')
  for (const way of ['set', 'create'] as const) {
    assert.is(await denied(() => config[way]({ key, value: enrolled() })), 'rbac/root-only')
  }

  const { revision } = await write(key, enrolled())
  assert.is(await denied(() => config.execTx({
    actions: { [key]: { action: 'append', value: 'x' } }, mainKey: { key, revision },
  })), 'rbac/root-only')
  const next = await write(key, enrolled({ iat: 2 }), revision)
  await config.execTx({ actions: { [key]: { action: 'remove' } }, mainKey: { key, revision: next.revision } })
  const own = await root().set({ key, value: signed(zone.owner, {}) })
  assert.is(await refused(key, enrolled(), own.revision), 'rbac/root-only')
  const remove = { actions: { [key]: { action: 'remove' as const } }, mainKey: { key, revision: own.revision } }
  assert.is(await denied(() => config.execTx(remove)), 'rbac/root-only')
  const alice = JSON.stringify({ name: 'node2', type: 'user', state: 'active' })
  await root().set({ key: kv.user('node2'), value: alice })
  assert.is(await refused(kv.device('node2'), enrolled({ name: 'node2' })), 'rbac/root-only', 'a user has the name')
  await root().delete({ key: kv.user('node2') })
  // The OOD is there no more, or another
  await root().delete({ key: kv.device('ood1') })
  assert.is(await refused(kv.device('node2'), enrolled({ name: 'node2' })), 'rbac/root-only')
})

test('what enrolment replaces is what was looked at, and not what comes to be there', async () => {
  const zone = testZone()
  const { enrolled } = documents(zone, newKey())
  const key = kv.device('node1')
  const there = { key, value: enrolled(), revision: 5 }
  const { refusal } = createRegistration({ keys: crypto, self: { zone: ZONE } }, {
    environment: { root: zone.owner.public.jwk }, records: { get: async () => there },
  })
  const actions = new Map([[key, { action: 'remove' as const }]])
  assert.is(await refusal(actions, { key, revision: 5 }), undefined)
  await failure(RevisionMismatch, () => refusal(actions, { key, revision: 7 }))
})

test('a certificate of the enrolment key is made once, and anew where the one that is there is none', async () => {
  const { open, root, zone } = await registering()
  const certificateNow = async () => (await root().get({ key: kv.enrolment('ood1') }))!.value
  await open()
  const first = await certificateNow()
  zone.now += 5_000
  await open()
  assert.is(await certificateNow(), first)
  const { certificate } = documents(zone, newKey())
  for (const wrong of ['x', certificate(), certificate(newKey())]) {
    await root().set({ key: kv.enrolment('ood1'), value: wrong })
    const { told, registrar } = await open()
    assert.is(await certificateNow(), registrar.certificate)
    assert.equal((await told()).certificates, [registrar.certificate])
    assert.not.equal(registrar.certificate, wrong)
  }
})

test('what a crash left out is published by a retry, and by the next start', async () => {
  const { open, joined, document } = await registering()
  const first = await open()
  const [one, two] = [await joined(first, 'node1'), await joined(first, 'node2')]
  assert.equal([await document('node1'), await document('node2')], [undefined, undefined], 'it ended before that')
  assert.is(await first.settle('node1'), one)
  assert.is(await first.settle('node1'), one, 'a retry changes nothing')
  const second = await open()
  for (const host of ['node3', 'node4', 'node5']) await joined(second, host)
  assert.is(await second.sweep(), 4)
  assert.is(await document('node2'), two)
  assert.is(await second.sweep(), 0)
})

test('a lost answer, and a system-config that is away, leave nothing that a retry does not put right', async () => {
  const { open, joined, document, said } = await registering()
  let fails: 'before' | 'after' = 'before'
  const registrations = await open((config) => ({
    ...config,
    async execTx(...args) {
      if (fails === 'before') throw new Unavailable('system-config is away')
      await config.execTx(...args)
      throw new Unavailable('the answer was lost')
    },
  }))
  const text = await joined(registrations, 'node1')
  for (const way of ['before', 'after'] as const) {
    fails = way
    await failure(Unavailable, () => registrations.settle('node1'))
  }
  assert.is(await registrations.settle('node1'), text)
  assert.is(await document('node1'), text)
  assert.equal(said.filter((line) => line === 'A host was registered'), [])
})

test('one host whose registration cannot be put right does not hold up the others', async () => {
  const { open, joined, document, said } = await registering()
  const first = await open()
  const texts = [await joined(first, 'node1'), await joined(first, 'node2'), await joined(first, 'node3')]
  const second = await open((config) => ({
    ...config,
    async execTx(asked, ...rest) {
      if (kv.device('node1') in asked.actions) throw new Unavailable('Not this one')
      return config.execTx(asked, ...rest)
    },
  }))
  await failure(Unavailable, () => second.sweep())
  const standing = [await document('node1'), await document('node2'), await document('node3')]
  assert.equal(standing, [undefined, ...texts.slice(1)])
  assert.ok(said.some((line) => line.includes('Not this one')))
  assert.is(await (await open()).sweep(), 1)
  assert.is(await document('node1'), texts[0])
})

test('a host that was revoked is taken away, also when only the vault had come to know of it', async () => {
  const { open, joined, document, vault } = await registering()
  const registrations = await open()
  for (const host of ['node1', 'node2']) {
    await joined(registrations, host)
    await registrations.settle(host)
  }
  await vault.hosts.revoke('node1', 'owner')
  assert.is(await registrations.settle('node1'), undefined)
  await vault.hosts.revoke('node2', 'owner')
  assert.is(await (await open()).sweep(), 1)
  assert.equal([await document('node1'), await document('node2')], [undefined, undefined])
})

test('who is revoked while it is published is not there afterwards', async () => {
  const { open, joined, document, vault } = await registering()
  const registrations = await open((config) => ({
    ...config,
    async execTx(...args) {
      await vault.hosts.revoke('node1', 'owner')
      return await config.execTx(...args)
    },
  }))
  await joined(registrations, 'node1')
  assert.is(await registrations.settle('node1'), undefined)
  assert.is(await document('node1'), undefined)
})

test('against other writers it tries as often as the limit', async () => {
  const { open, joined } = await registering()
  let attempts = 0
  const registrations = await open((config) => ({
    ...config,
    async execTx() {
      attempts++
      throw new RevisionMismatch('Another writer was faster')
    },
  }))
  await joined(registrations, 'node1')
  let failed: unknown
  await registrations.settle('node1').catch((error: unknown) => { failed = error })
  assert.is((failed as ZonewrightError).code, 'Overloaded')
  assert.is(attempts, limits.registrationAttempts)
})

test('what the owner signed stays, and nobody joins under its name', async () => {
  const { open, joined, document, root, zone } = await registering()
  const registrations = await open()
  const own = documents(zone, newKey()).device(zone.owner, {})
  await root().set({ key: kv.device('node1'), value: own })
  const reasonOf = async (run: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await run()
    } catch (error) {
      return (error as ZonewrightError).details['reason']
    }
  }
  assert.is(await reasonOf(() => registrations.demandFree('node1')), 'owned')
  const alice = JSON.stringify({ name: 'alice', type: 'user', state: 'active' })
  await root().set({ key: kv.user('alice'), value: alice })
  assert.is(await reasonOf(() => registrations.demandFree('alice')), 'owned', 'nor under that of a user')
  await joined(registrations, 'node1')
  assert.is(await reasonOf(() => registrations.settle('node1')), 'owned')
  assert.is(await registrations.sweep(), 0)
  assert.is(await document('node1'), own)
})

test('a host from before there were documents is registered at the next start', async () => {
  const { open, joined, document, vault } = await registering()
  const registrations = await open()
  const by = device()
  await joined(registrations, 'node1', by)
  const path = 'join/hosts/node1'
  const stored = JSON.parse(new TextDecoder().decode((await vault.barrier.readBytes(path))!.value)) as object
  const { document: _, notAfter: __, earlier: ___, ...before } = stored as Record<string, unknown>
  await vault.barrier.commit([], [{ path, value: before }])
  assert.is(await (await open()).sweep(), 1)
  const read = readDeviceBy(crypto, { zone: ZONE, root: (await open()).owner })
  assert.equal(read((await document('node1'))!)?.key.x, by.public.jwk.x)
})

test.run()
