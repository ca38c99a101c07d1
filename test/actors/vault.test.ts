import { test } from 'uvu'
import * as assert from 'uvu/assert'
import vault from '../../actors/vault/actor.ts'
import { bootStep } from '../../actors/boot-steps.ts'
import {
  SecretNotFound, SecretVersionMismatch, VaultDamaged, VaultSealed, type Vault,
} from '../../actors/vault/protocol.ts'
import { combine, split } from '../../actors/vault/shamir.ts'
import { ZoneStoreMismatch } from '../../actors/system-config/protocol.ts'
import type { ActorStart, Evidence, Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { Denied, InvalidArgument, NotFound, type ErrorClass, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Random } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { createDenialLog, type DenialLog } from '../../runtime/trust/denial.ts'
import { firstRelease } from './vault-first-release.ts'

const keys = await createCrypto()
const newStore = (): Store => createMemoryStore({ clock: systemClock, random: systemRandom })
const newUnsealKey = (): string => toBase64url(systemRandom.bytes(32))
const kernelPeer = (actor: string, changes: Partial<Peer> = {}): Peer => ({
  zone: 'z1', host: 'ood1', actor, runtimeType: 'kernel-service', incarnation: 1, kid: `${actor}-link-1`, ...changes,
})
const bootScheduler = kernelPeer('boot-scheduler')
const verifyHub = kernelPeer('verify-hub')
const supervisor = kernelPeer('supervisor', { runtimeType: 'ood' })

interface Started {
  readonly handlers: Handlers<typeof Vault>
  readonly lifecycle: Lifecycle
  readonly steps: { sequence: string; number: number; evidence: Evidence }[]
  /** Everything the vault said outside its answers. */
  readonly said: string[]
  readonly denials: DenialLog
}

/** Starts the real actor; only what is around it (mailbox, links) is absent. */
async function start(
  store: Store, secrets: Record<string, string>, random: Random = systemRandom, env: Record<string, string> = {},
): Promise<Started> {
  const steps: Started['steps'] = []
  const said: string[] = []
  const say = (message: string, fields?: Evidence): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  const clock = { ...systemClock, now: () => 1_795_000_000_000 }
  const onDenial = (record: object): void => void said.push(JSON.stringify(record))
  const denials = createDenialLog({ random: systemRandom, clock, onDenial })
  const given = {
    store, random, keys, clock, secrets, env, needs: {}, denials,
    log: { info: say, warn: say, error: say },
    stopping: new AbortController().signal,
    background() {},
    step(sequence: string, number: number, evidence: Evidence) {
      steps.push({ sequence, number, evidence })
    },
    self: {
      zone: 'z1', host: 'ood1', actor: 'vault', runtimeType: 'kernel-service', incarnation: 1, linkKid: 'vault-link-1',
    },
  } as unknown as ActorStart<{}>
  const serving = await vault.start(given) as { handlers: Handlers<typeof Vault>; lifecycle: Lifecycle }
  return { ...serving, steps, said, denials }
}

const as = (peer: Peer) => ({ peer }) as never
const ensure = async (handlers: Started['handlers']) => handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler))
const takeShares = async (handlers: Started['handlers']) => handlers.takeRecoveryShares({}, as(supervisor))

async function failure(Class: ErrorClass, run: () => unknown): Promise<ZonewrightError> {
  try {
    await run()
  } catch (error) {
    assert.instance(error, Class, `expected ${Class.name}, got ${String(error)}`)
    return error as ZonewrightError
  }
  throw new Error('Nothing was thrown')
}

async function contents(store: Store): Promise<Map<string, Uint8Array>> {
  const { entries } = await store.list('')
  return new Map(entries.map(({ key, value }) => [key, value]))
}

const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

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
async function furnished() {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { handlers } = await start(store, secrets)
  await ensure(handlers)
  await handlers.putSecret({ path: 'verify-hub/a', value: 'one' }, as(verifyHub))
  await handlers.putSecret({ path: 'verify-hub/b', value: 'two' }, as(verifyHub))
  const entries = await contents(store)
  const use = async (path: string): Promise<unknown> => {
    if (path.startsWith('core/')) return start(store, secrets)
    if (path.startsWith('keys/')) return ensure(handlers)
    const secret = path.includes('verify-hub/b') ? 'verify-hub/b' : 'verify-hub/a'
    return handlers.getSecret({ path: secret }, as(verifyHub))
  }
  const encrypted = [...entries.keys()].filter((path) => path !== 'core/seal-config')
  return { store, entries, encrypted, use, secrets }
}

test('a record with any one byte changed is refused as damaged, by its path', async () => {
  const { store, entries, encrypted, use } = await furnished()
  assert.equal(encrypted, [
    'core/keyring', 'core/unseal/auto', 'keys/verify-hub',
    'secret/metadata/verify-hub/a', 'secret/metadata/verify-hub/b',
    'secret/versions/verify-hub/a/1', 'secret/versions/verify-hub/b/1',
  ])
  for (const path of encrypted) {
    const intact = entries.get(path) as Uint8Array
    for (let at = 0; at < intact.length; at++) {
      const changed = Uint8Array.from(intact)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      await store.put(path, changed)
      const error = await failure(VaultDamaged, () => use(path))
      assert.is(error.details.path, path)
    }
    await store.put(path, intact)
    await use(path)
  }
})

test('a record cut at any length, or longer than written, is refused as damaged', async () => {
  const { store, entries, encrypted, use } = await furnished()
  for (const path of encrypted) {
    const intact = entries.get(path) as Uint8Array
    for (let length = 0; length < intact.length; length++) {
      await store.put(path, intact.slice(0, length))
      assert.is((await failure(VaultDamaged, () => use(path))).details.path, path)
    }
    await store.put(path, Uint8Array.from([...intact, 0]))
    assert.is((await failure(VaultDamaged, () => use(path))).details.path, path)
    await store.put(path, intact)
  }
})

test('two records that changed places are refused as damaged, and so is one of another vault', async () => {
  const { store, entries, encrypted, use } = await furnished()
  const other = await furnished()
  for (const path of encrypted) {
    const others = encrypted.filter((another) => another !== path)
    const strangers = [...others.map((another) => entries.get(another)), other.entries.get(path)]
    for (const stranger of strangers) {
      await store.put(path, stranger as Uint8Array)
      assert.is((await failure(VaultDamaged, () => use(path))).details.path, path)
    }
    await store.put(path, entries.get(path) as Uint8Array)
    await use(path)
  }
})

test('an entry that is missing where another says it exists is damage', async () => {
  for (const path of ['core/keyring', 'core/unseal/auto', 'secret/versions/verify-hub/a/1']) {
    const { store, use } = await furnished()
    await store.delete(path)
    assert.is((await failure(VaultDamaged, () => use(path))).details.path, path)
  }
})

test('a changed seal configuration opens nothing', async () => {
  const { store, entries, use } = await furnished()
  const path = 'core/seal-config'
  const text = new TextDecoder().decode(entries.get(path))
  const config = JSON.parse(text)
  const forged = [
    { ...config, threshold: 1 }, { ...config, shares: 200 }, { ...config, vaultId: toBase64url(new Uint8Array(16)) },
    { ...config, unsealKeyId: config.rootKeyId }, { ...config, format: 2 }, { ...config, more: true },
  ]
  for (const body of [...forged.map((value) => JSON.stringify(value)), text.slice(1), '', '[]']) {
    await store.put(path, new TextEncoder().encode(body))
    let code = ''
    await use(path).catch((error) => { code = error.code })
    assert.ok(code === 'VaultDamaged' || code === 'VaultSealed', `${code}: ${body}`)
  }
})

test('a record is laid out as key term, version 2, nonce, ciphertext and tag, under its path', async () => {
  const { store, entries } = await furnished()
  const record = entries.get('secret/versions/verify-hub/a/1') as Uint8Array
  assert.equal([...record.subarray(0, 5)], [0, 0, 0, 1, 2])
  assert.is(record.length, 4 + 1 + 12 + '{"value":"one"}'.length + 16)
  const other = entries.get('secret/versions/verify-hub/b/1') as Uint8Array
  assert.not.equal(record.subarray(5, 17), other.subarray(5, 17))
  assert.is((await store.list('')).entries.length, 8)
})

test('a vault that was written by the first release opens: the format is fixed', async () => {
  const store = newStore()
  for (const [path, text] of Object.entries(firstRelease.entries)) {
    await store.put(path, fromBase64url(text) as Uint8Array)
  }
  const { handlers } = await start(store, { 'unseal-key': firstRelease.unsealKey })
  const key = await ensure(handlers)
  assert.equal({ kid: key.kid, created: key.created }, { kid: firstRelease.kid, created: false })
  assert.equal(await handlers.getSecret({ path: 'verify-hub/a' }, as(verifyHub)), { value: 'one', version: 1 })
})

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
  assert.equal(await restarted.handlers.readKey({ name: 'verify-hub' }, as(next)), { kid, pem })
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
  const calls: Record<string, (peer: Peer) => unknown> = {
    'status': (peer) => handlers.status({}, as(peer)),
    'takeRecoveryShares': (peer) => handlers.takeRecoveryShares({}, as(peer)),
    'ensureKey verify-hub': (peer) => handlers.ensureKey({ name: 'verify-hub' }, as(peer)),
    'ensureKey other': (peer) => handlers.ensureKey({ name: 'other' }, as(peer)),
    'ensureKey verify-hub/x': (peer) => handlers.ensureKey({ name: 'verify-hub/x' }, as(peer)),
    'readKey verify-hub': (peer) => handlers.readKey({ name: 'verify-hub' }, as(peer)),
    'readKey other': (peer) => handlers.readKey({ name: 'other' }, as(peer)),
    'put verify-hub/s': (peer) => handlers.putSecret({ path: 'verify-hub/s', value: 'v' }, as(peer)),
    'get verify-hub/s': (peer) => handlers.getSecret({ path: 'verify-hub/s' }, as(peer)),
    'put verify-hubs/s': (peer) => handlers.putSecret({ path: 'verify-hubs/s', value: 'v' }, as(peer)),
    'get gateway/s': (peer) => handlers.getSecret({ path: 'gateway/s' }, as(peer)),
  }
  const allowed: [string, Peer, string[]][] = [
    ['the boot scheduler', bootScheduler, ['ensureKey verify-hub']],
    ['the scheduler', kernelPeer('scheduler'), ['ensureKey verify-hub']],
    ['the scheduler of another OOD', kernelPeer('scheduler', { host: 'ood2' }), ['ensureKey verify-hub']],
    ['verify-hub', verifyHub, ['readKey verify-hub', 'put verify-hub/s', 'get verify-hub/s']],
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
    assert.is(lifecycle.admit?.(peer), may.length > 0, `${who} linking`)
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

test('nothing secret lies in the store, the log or the evidence, in clear or in any usual encoding', async () => {
  const store = newStore()
  const unsealKey = newUnsealKey()
  const vaults = [await start(store, { 'unseal-key': unsealKey })]
  const { handlers } = vaults[0] as Started
  const marker = 'planted-marker-0123456789'
  await handlers.putSecret({ path: 'verify-hub/s', value: marker }, as(verifyHub))
  await ensure(handlers)
  const { pem } = await handlers.readKey({ name: 'verify-hub' }, as(verifyHub))
  await failure(Denied, () => handlers.readKey({ name: 'verify-hub' }, as(verifyHub)))
  const { shares } = await takeShares(handlers)
  vaults.push(await start(store, { 'unseal-key': unsealKey }))

  const rootKey = combine(shares.slice(0, 3).map((share) => fromBase64url(share) as Uint8Array))
  const der = pem.replace(/-----.*?-----|[\s=]/g, '').replaceAll('+', '-').replaceAll('/', '_')
  const seed = fromBase64url(der)
  const secrets = [
    new TextEncoder().encode(marker), fromBase64url(unsealKey), rootKey, seed?.subarray(-32),
    ...shares.map((share) => fromBase64url(share)),
  ] as Uint8Array[]
  const outside = vaults.flatMap(({ said, steps }) => [...said, JSON.stringify(steps)]).join('\n')
  const stored = [...await contents(store)].flatMap(([path, value]) => [path, latin1(value)]).join('\n')
  assert.is(leaks(secrets, `${stored}${toBase64url(new TextEncoder().encode(`x${marker}`))}`), 1, 'the search can find')
  assert.is(leaks(secrets, stored), 0)
  assert.is(leaks(secrets, outside), 0)
})

const latin1 = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')

/** How many of the secrets appear: as bytes, in hexadecimal, or inside a base64 or base64url text at any alignment. */
function leaks(secrets: readonly Uint8Array[], text: string): number {
  const folded = text.replaceAll('+', '-').replaceAll('/', '_')
  return secrets.filter((secret) => {
    const hexadecimal = Array.from(secret, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const aligned = [0, 1, 2].map((offset) => {
      const whole = secret.subarray(offset, offset + Math.floor((secret.length - offset) / 3) * 3)
      return toBase64url(whole)
    })
    return text.includes(latin1(secret)) || text.includes(hexadecimal) || aligned.some((form) => folded.includes(form))
  }).length
}

test('recovery shares are given once, by the start that made the vault', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const first = await start(store, secrets)
  const { shares } = await takeShares(first.handlers)
  assert.is(new Set(shares).size, 5)
  assert.ok(shares.every((share) => fromBase64url(share)?.length === 33))
  await failure(NotFound, () => takeShares(first.handlers))
  const second = await start(store, secrets)
  await failure(NotFound, () => takeShares(second.handlers))
})

test('three shares and a new key file open a vault whose key file is lost; the lost one opens it no more', async () => {
  const store = newStore()
  const [lost, fresh] = [newUnsealKey(), newUnsealKey()]
  const { handlers } = await start(store, { 'unseal-key': lost })
  const { shares } = await takeShares(handlers)
  const { kid } = await ensure(handlers)
  const three = [shares[4], shares[0], shares[2]].join('\n')
  const recovered = await start(store, { 'unseal-key': fresh, 'recovery-shares': three })
  assert.is((await ensure(recovered.handlers)).kid, kid)
  await start(store, { 'unseal-key': fresh })
  await failure(VaultSealed, () => start(store, { 'unseal-key': lost }))
  await failure(NotFound, () => takeShares(recovered.handlers))
})

test('of two recoveries at once one is refused, and the key file of the other opens the vault', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  const shares = (await takeShares(handlers)).shares.join(' ')
  const files = [newUnsealKey(), newUnsealKey()]
  const recover = (file: string) => start(store, { 'unseal-key': file, 'recovery-shares': shares })
  const outcomes = await Promise.allSettled(files.map(recover))
  assert.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const [index, file] of files.entries()) {
    const opens = await start(store, { 'unseal-key': file }).then(() => 'fulfilled', () => 'rejected')
    assert.is(opens, outcomes[index]?.status)
  }
})

test('too few, repeated, foreign or unreadable shares open nothing and change nothing', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  const { shares } = await takeShares(handlers)
  const stranger = await start(newStore(), { 'unseal-key': newUnsealKey() })
  const foreign = (await takeShares(stranger.handlers)).shares
  const [one, two, three] = shares as [string, string, string]
  const before = await contents(store)
  for (const given of [
    [], [one], [one, two], [one, two, two], [one, two, foreign[0]], foreign.slice(0, 3),
    [one, two, three.slice(4)], [one, two, '?'], [one, two, toBase64url(new Uint8Array(33))],
  ]) {
    const secrets = { 'unseal-key': newUnsealKey(), 'recovery-shares': given.join(' ') }
    const error = await failure(VaultSealed, () => start(store, secrets))
    for (const share of shares) assert.not.match(error.message, share)
  }
  await failure(VaultSealed, () => start(store, { 'recovery-shares': [one, two, three].join(' ') }))
  assert.equal(await contents(store), before)
})

test('the same randomness and clock make the same store, byte for byte', async () => {
  const seeded = (seed: string): Random => {
    let count = 0
    return {
      bytes: (length) => keys.derive(new TextEncoder().encode(seed), new Uint8Array(), `${count++}`, length),
      fork: (label) => seeded(`${seed}/${label}`),
    }
  }
  const unsealKey = newUnsealKey()
  const run = async (seed: string) => {
    const store = newStore()
    const { handlers } = await start(store, { 'unseal-key': unsealKey }, seeded(seed))
    await ensure(handlers)
    return { ...await takeShares(handlers), contents: await contents(store) }
  }
  const [first, second, other] = [await run('1'), await run('1'), await run('2')]
  assert.equal(first, second)
  assert.not.equal(first, other)
})

test('Shamir: shares made by another implementation give the secret, by every three of them', () => {
  // Made by the audited npm package shamir-secret-sharing 0.0.4 (5 shares, threshold 3), which keeps Vault's layout.
  const shares = [
    '68733ddd28cbba5a0e15f85689f11d936c7fe35c45dfa6ed935bd9141540713468',
    '74b3d3ec0fa5293c0f292e3a0a41b2bfcb9aa6fde4996269eaa49d61bf9819b423',
    '86a5ddd4425f641dd339427c2823e1b773682997e3cb01585b80f433c2b9774f0b',
    'f045a804e073ec25c948478c1b77523e550dc5f8a383c571729190fbbf5f0d81db',
    '1ec9a06c4ba5bae4be6766007c562d13487991b5babb4c55a08a7bc03bc7a531eb',
  ].map(hex)
  const secret = hex('00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9')
  let subsets = 0
  for (const chosen of subsetsOf(shares)) {
    if (chosen.length < 3) continue
    assert.equal(combine(chosen), secret)
    subsets++
  }
  assert.is(subsets, 16)
})

function subsetsOf<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((all, item) => [...all, ...all.map((some) => [...some, item])], [[]])
}

test('Shamir: any threshold of shares gives the secret, and fewer give another one', () => {
  for (const [shares, threshold] of [[2, 2], [5, 3], [6, 4], [255, 2]] as const) {
    const secret = systemRandom.bytes(32)
    const made = split(secret, shares, threshold, systemRandom)
    const xs = new Set(made.map((share) => share[32]))
    assert.is(xs.size, shares)
    assert.not.ok(xs.has(0))
    for (const chosen of shares > 6 ? [made.slice(0, 2), made.slice(-3)] : subsetsOf(made)) {
      if (chosen.length < 2) continue
      const found = keys.equal(combine(chosen), secret)
      assert.is(found, chosen.length >= threshold, `${chosen.length} of ${shares}/${threshold}`)
    }
  }
})

test('Shamir: one share of a constant secret takes every value, so it tells nothing', () => {
  const seen = new Set<number>()
  for (let round = 0; round < 10_000; round++) seen.add(split(new Uint8Array(1), 2, 2, systemRandom)[0]?.[0] ?? -1)
  assert.is(seen.size, 256)
})

test('Shamir: the coordinates are drawn, not counted', () => {
  const seen = new Set<number>()
  for (let round = 0; round < 1_000; round++) seen.add(split(new Uint8Array(1), 2, 2, systemRandom)[0]?.[1] ?? -1)
  assert.ok(seen.size > 200, `of 255 in 1,000 draws: ${seen.size}`)
})

test('Shamir: impossible numbers and shares that cannot belong together are refused', async () => {
  const secret = new Uint8Array(32)
  for (const [shares, threshold] of [[1, 1], [3, 1], [2, 3], [256, 3]] as const) {
    await failure(InvalidArgument, () => split(secret, shares, threshold, systemRandom))
  }
  await failure(InvalidArgument, () => split(new Uint8Array(), 5, 3, systemRandom))
  const [one, two] = split(secret, 5, 3, systemRandom) as [Uint8Array, Uint8Array]
  for (const shares of [[], [one], [one, one], [one, two.slice(1)], [one, new Uint8Array(33)]]) {
    await failure(InvalidArgument, () => combine(shares))
  }
})

test.run()
