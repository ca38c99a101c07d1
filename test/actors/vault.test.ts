import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../../actors/boot-steps.ts'
import { SecretNotFound, SecretVersionMismatch, VaultDamaged, VaultSealed } from '../../actors/vault/protocol.ts'
import { ZoneStoreMismatch } from '../../actors/system-config/protocol.ts'
import type { Peer } from '../../runtime/actor.ts'
import { Denied, InvalidArgument, NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import {
  as, bootScheduler, contents, ensure, failure, kernelPeer, keys, newStore, newUnsealKey, start, supervisor,
  takeShares, verifyHub,
} from './vault-fixture.ts'

test('an empty store becomes a vault, and the next start opens the same one', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const first = await (await start(store, secrets)).handlers.status({}, as(supervisor))
  const second = await (await start(store, secrets)).handlers.status({}, as(supervisor))
  assert.equal(first, { initialised: true, sealed: false, term: 1, threshold: 3, shares: 5, vaultId: first.vaultId })
  assert.equal(second, first)
  assert.is(fromBase64url(first.vaultId)?.length, 16)
})

test('many starts that make the vault at once serve one vault, and only the winner holds recovery shares', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const started = await Promise.all(Array.from({ length: 8 }, () => start(store, secrets)))
  const ids = new Set<string>()
  let winners = 0
  for (const { handlers } of started) {
    ids.add((await handlers.status({}, as(supervisor))).vaultId)
    const shares = await takeShares(handlers).catch(() => undefined)
    if (shares) winners++
  }
  assert.is(ids.size, 1)
  assert.is(winners, 1)
  const made = await Promise.all(started.map(({ handlers }) => ensure(handlers)))
  assert.is(new Set(made.map(({ kid }) => kid)).size, 1)
  assert.is(made.filter(({ created }) => created).length, 1)
})

test('the loser of a race that holds another unseal key is sealed out of the winner’s vault', async () => {
  const store = newStore()
  const files = [newUnsealKey(), newUnsealKey()]
  const outcomes = await Promise.allSettled(files.map((file) => start(store, { 'unseal-key': file })))
  const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.is(lost.length, 1)
  assert.instance(lost[0]?.reason, VaultSealed)
})

test('a wrong, absent, short or unreadable unseal key leaves the vault sealed and the store as it was', async () => {
  const store = newStore()
  const right = newUnsealKey()
  await start(store, { 'unseal-key': right })
  const before = await contents(store)
  for (const secrets of [
    { 'unseal-key': newUnsealKey() }, {}, { 'unseal-key': '' }, { 'unseal-key': toBase64url(new Uint8Array(31)) },
    { 'unseal-key': `${right}=` }, { 'unseal-key': 'not base64url' },
  ] as Record<string, string>[]) {
    const error = await failure(VaultSealed, () => start(store, secrets))
    assert.match(error.message, /unseal key/)
    assert.not.match(error.message, right)
  }
  assert.equal(await contents(store), before)
})

test('a host that has booted its zone makes no second vault in a store that was emptied', async () => {
  const store = newStore()
  const booted = { ZONEWRIGHT_BOOTED: '1' }
  const secrets = { 'unseal-key': newUnsealKey() }
  const error = await failure(ZoneStoreMismatch, () => start(store, secrets, systemRandom, booted))
  assert.match(error.message, /its vault is empty/)
  assert.is((await contents(store)).size, 0)
  const first = await (await start(store, secrets)).handlers.status({}, as(supervisor))
  const again = await (await start(store, secrets, systemRandom, booted)).handlers.status({}, as(supervisor))
  assert.is(again.vaultId, first.vaultId)
})

test('without an unseal key no vault is made', async () => {
  const store = newStore()
  await failure(VaultSealed, () => start(store, {}))
  assert.is((await contents(store)).size, 0)
})

test('a store that holds something but no seal configuration is damaged, and nothing is made over it', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  await start(store, secrets)
  await store.delete('core/seal-config')
  const before = await contents(store)
  assert.match((await failure(VaultDamaged, () => start(store, secrets))).message, 'core/seal-config')
  assert.equal(await contents(store), before)
})

/** A vault with a key and a secret, and a way to put one entry back as it was. */
test('ensureKey makes one key for any number of callers and gives the same after a restart', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { handlers, steps } = await start(store, secrets)
  const answers = await Promise.all(Array.from({ length: 50 }, () => ensure(handlers)))
  const restarted = await start(store, secrets)
  const again = await restarted.handlers.ensureKey({ name: 'verify-hub' }, as(kernelPeer('scheduler')))
  assert.is(answers.filter(({ created }) => created).length, 1)
  assert.is(again.created, false)
  for (const answer of answers) assert.equal({ ...answer, created: false }, again)
  assert.is(keys.importJwk(again.publicKey).kid, again.kid)
  assert.is(steps.length, 50)
  assert.equal(steps.find(({ evidence }) => evidence.created)?.evidence, { kid: again.kid, created: true })
  assert.ok(steps.every(({ sequence, number }) => sequence === 'boot' && number === bootStep.vaultKeyEnsured))
})

test('verify-hub reads its private key once per incarnation, also when the vault restarted in between', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const first = await start(store, secrets)
  await failure(NotFound, () => first.handlers.readKey({ name: 'verify-hub' }, as(verifyHub)))
  const { kid, publicKey } = await ensure(first.handlers)
  const read = async () => first.handlers.readKey({ name: 'verify-hub' }, as(verifyHub))
  const racing = await Promise.allSettled([read(), read(), read()])
  const given = racing.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  assert.is(given.length, 1)
  const pem = given[0]?.pem ?? ''
  assert.equal(keys.importPem(pem).public.jwk, publicKey)
  assert.equal(first.steps.filter(({ number }) => number === bootStep.vaultKeyRead), [
    { sequence: 'boot', number: bootStep.vaultKeyRead, evidence: { kid } },
  ])

  const restarted = await start(store, secrets)
  const error = await failure(Denied, () => restarted.handlers.readKey({ name: 'verify-hub' }, as(verifyHub)))
  assert.match(String(error.details.denial), /^D-/)
  const next = kernelPeer('verify-hub', { incarnation: 2, kid: 'verify-hub-link-2' })
  assert.equal(await restarted.handlers.readKey({ name: 'verify-hub' }, as(next)), { kid, version: 1, pem })
  await failure(Denied, () => restarted.handlers.readKey({ name: 'verify-hub' }, as(verifyHub)))
})

test('the list of those who were given a key does not grow without end', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  await ensure(handlers)
  const sizes: number[] = []
  for (let index = 0; index < limits.vaultGrants + 3; index++) {
    await handlers.readKey({ name: 'verify-hub' }, as(kernelPeer('verify-hub', { kid: `link-${1_000 + index}` })))
    sizes.push((await store.get('grants/keys/verify-hub'))?.value.length ?? 0)
  }
  assert.equal(sizes.slice(-3), Array(3).fill(sizes[limits.vaultGrants - 1]))
})

test('every peer is denied every method that the policy does not name for it', async () => {
  const store = newStore()
  const { handlers, lifecycle, denials, steps } = await start(store, { 'unseal-key': newUnsealKey() })
  const kid = async () => (await handlers.keyVersions({ name: 'verify-hub' }, as(verifyHub)))[0]!.kid
  const calls: Record<string, (peer: Peer) => unknown> = {
    'status': (peer) => handlers.status({}, as(peer)),
    'takeRecoveryShares': (peer) => handlers.takeRecoveryShares({}, as(peer)),
    'ensureKey verify-hub': (peer) => handlers.ensureKey({ name: 'verify-hub' }, as(peer)),
    'ensureKey other': (peer) => handlers.ensureKey({ name: 'other' }, as(peer)),
    'ensureKey verify-hub/x': (peer) => handlers.ensureKey({ name: 'verify-hub/x' }, as(peer)),
    'readKey verify-hub': (peer) => handlers.readKey({ name: 'verify-hub' }, as(peer)),
    'readKey other': (peer) => handlers.readKey({ name: 'other' }, as(peer)),
    'keyVersions verify-hub': (peer) => handlers.keyVersions({ name: 'verify-hub' }, as(peer)),
    'keyVersions other': (peer) => handlers.keyVersions({ name: 'other' }, as(peer)),
    'rotateKey verify-hub': async (peer) => handlers.rotateKey({ name: 'verify-hub', after: await kid() }, as(peer)),
    'rotateKey other': async (peer) => handlers.rotateKey({ name: 'other', after: await kid() }, as(peer)),
    'destroyKeysBefore verify-hub': async (peer) =>
      handlers.destroyKeysBefore({ name: 'verify-hub', kid: await kid() }, as(peer)),
    'destroyKeysBefore other': async (peer) =>
      handlers.destroyKeysBefore({ name: 'other', kid: await kid() }, as(peer)),
    'put verify-hub/s': (peer) => handlers.putSecret({ path: 'verify-hub/s', value: 'v' }, as(peer)),
    'get verify-hub/s': (peer) => handlers.getSecret({ path: 'verify-hub/s' }, as(peer)),
    'put verify-hubs/s': (peer) => handlers.putSecret({ path: 'verify-hubs/s', value: 'v' }, as(peer)),
    'get gateway/s': (peer) => handlers.getSecret({ path: 'gateway/s' }, as(peer)),
  }
  const allowed: [string, Peer, string[]][] = [
    ['the boot scheduler', bootScheduler, ['ensureKey verify-hub']],
    ['the scheduler', kernelPeer('scheduler'), ['ensureKey verify-hub']],
    ['the scheduler of another OOD', kernelPeer('scheduler', { host: 'ood2' }), ['ensureKey verify-hub']],
    ['verify-hub', verifyHub, [
      'readKey verify-hub', 'keyVersions verify-hub', 'rotateKey verify-hub', 'destroyKeysBefore verify-hub',
      'put verify-hub/s', 'get verify-hub/s',
    ]],
    ['the supervisor', supervisor, ['status', 'takeRecoveryShares']],
    ['the supervisor of another host', { ...supervisor, host: 'ood2' }, []],
    ['a node’s supervisor', { ...supervisor, runtimeType: 'node' }, []],
    ['a service that calls itself verify-hub', kernelPeer('verify-hub', { runtimeType: 'service' }), []],
    ['verify-hub of another zone', kernelPeer('verify-hub', { zone: 'z2' }), []],
    ['the gateway', kernelPeer('gateway'), []],
    ['system-config', kernelPeer('system-config'), []],
    ['a node daemon', kernelPeer('node-daemon', { runtimeType: 'ood' }), []],
  ]
  for (const [who, peer, may] of allowed) {
    assert.is(lifecycle.admit?.(peer, 'sealed'), may.length > 0, `${who} linking`)
    for (const [what, run] of Object.entries(calls)) {
      const before = await store.revision()
      const outcome = await Promise.resolve().then(() => run(peer)).then(() => 'served', (error) => error.code)
      assert.is(outcome, may.includes(what) ? 'served' : 'Denied', `${who}: ${what}`)
      if (outcome === 'Denied') assert.is(await store.revision(), before, `${who}: ${what} wrote`)
    }
  }
  const strangers = allowed.filter(([, , may]) => may.length === 0).length
  const denied = allowed.length * Object.keys(calls).length - allowed.reduce((sum, [, , may]) => sum + may.length, 0)
  assert.is(denials.total, denied + strangers, 'each is kept, those of links as well')
  assert.ok(steps.every(({ number }) => number === bootStep.vaultKeyEnsured || number === bootStep.vaultKeyRead))
  assert.is(lifecycle.authenticate, undefined, 'the vault takes no token')
})

test('a secret is versioned, and a put with the wrong version changes nothing', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  const path = 'verify-hub/s'
  const put = (value: string, cas?: number) =>
    Promise.resolve(handlers.putSecret({ path, value, ...(cas === undefined ? {} : { cas }) }, as(verifyHub)))
  await failure(SecretNotFound, () => handlers.getSecret({ path }, as(verifyHub)))
  assert.equal((await failure(SecretVersionMismatch, () => put('early', 1))).details, { version: 0 })
  assert.equal(await put('a', 0), { version: 1 })
  await failure(SecretVersionMismatch, () => put('b', 0))
  assert.equal(await put('b', 1), { version: 2 })
  assert.equal(await put('c'), { version: 3 })
  assert.equal((await failure(SecretVersionMismatch, () => put('d', 2))).details, { version: 3 })
  assert.equal(await handlers.getSecret({ path }, as(verifyHub)), { value: 'c', version: 3 })

  const racing = await Promise.allSettled(['x', 'y', 'z'].map((value) => put(value, 3)))
  assert.is(racing.filter(({ status }) => status === 'fulfilled').length, 1)
  const written = await Promise.all(Array.from({ length: 6 }, (_, index) => put(`w${index}`)))
  assert.equal(written.map(({ version }) => version).sort((a, b) => a - b), [5, 6, 7, 8, 9, 10])
})

test('a secret keeps its newest versions and drops the oldest', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  const path = 'verify-hub/s'
  for (let index = 1; index <= limits.vaultSecretVersions + 3; index++) {
    await handlers.putSecret({ path, value: `v${index}`, cas: index - 1 }, as(verifyHub))
  }
  const { entries } = await store.list(`secret/versions/${path}/`)
  assert.is(entries.length, limits.vaultSecretVersions)
  const latest = limits.vaultSecretVersions + 3
  assert.equal(await handlers.getSecret({ path }, as(verifyHub)), { value: `v${latest}`, version: latest })
})

test('a secret path that is not plain segments is refused', async () => {
  const { handlers } = await start(newStore(), { 'unseal-key': newUnsealKey() })
  const tooLong = 'x'.repeat(limits.vaultSecretPath)
  for (const path of ['', '..', '../keys', 'a//b', 'a/', 'a/./b', 'a\0', 'ä', 'a b', tooLong]) {
    const full = `verify-hub/${path}`
    await failure(InvalidArgument, () => handlers.getSecret({ path: full }, as(verifyHub)))
    await failure(InvalidArgument, () => handlers.putSecret({ path: full, value: 'v' }, as(verifyHub)))
  }
})

test.run()
