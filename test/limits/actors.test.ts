/** What the actors of a zone bound: the last that is allowed passes, the next has its documented end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { execute } from '../../actors/system-config/transaction.ts'
import type { Records } from '../../actors/system-config/records.ts'
import { createSecrets } from '../../actors/vault/secrets.ts'
import { type Session, openSessions } from '../../actors/verify-hub/sessions.ts'
import type { SigningKeys } from '../../actors/verify-hub/signing-keys.ts'
import { openZone, type Config } from '../../actors/verify-hub/zone.ts'
import { deviceDocumentType, kv, UserSettings } from '../../actors/records.ts'
import { KnownHosts } from '../../boot/known-hosts.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { countSlowHashes, gateway, manualClock, testZone } from '../actors/verify-hub-zone.ts'

const test = suite('limits of the actors')
const crypto = await createCrypto()
const now = 1_795_000_000

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))

const session = (sid: string): Session => ({
  sid, sub: 'alice', appid: 'notes', host: null, holder: null, state: 'live', reason: '', createdMs: now * 1_000,
  expires: now + 60, before: null,
  issue: { sessionJti: `s-${sid}`, refreshJti: `r-${sid}`, iat: now, aud: ['notes'], runtimeType: 'user', epoch: 0 },
})

/** A store on which somebody else was faster so many times. */
function raced(times: number): Store {
  const store = createMemoryStore({ clock: manualClock(), random: systemRandom })
  let left = 0
  return Object.assign(Object.create(store) as Store, {
    id: store.id,
    get: (key: string) => store.get(key),
    list: store.list.bind(store),
    transact: async (...given: Parameters<Store['transact']>) =>
      left-- > 0 ? { succeeded: false as const, revision: 1, found: [] } : store.transact(...given),
    race() { left = times },
  })
}

test('a transaction that others race is tried as often as the limit says, then Overloaded', async () => {
  for (const [times, outcome] of [[limits.storeRaces - 1, 'done'], [limits.storeRaces, 'Overloaded']] as const) {
    const store = raced(times) as Store & { race(): void }
    const sessions = openSessions(store)
    await sessions.create(session('one'))
    store.race()
    assert.is(await codeOf(sessions.end('one', 'tested')), outcome)
  }
})

test('one sweep takes as many records as the limit says, and leaves the rest to the next', async () => {
  const sessions = openSessions(createMemoryStore({ clock: manualClock(), random: systemRandom }))
  // One user may not have so many in one app
  for (let index = 0; index <= limits.sessionSweep; index++) {
    await sessions.create({ ...session(`s${index}`), sub: `user${index}` })
  }
  assert.is(await sessions.sweep(now + 60), limits.sessionSweep)
  assert.is(await sessions.sweep(now + 60), 1)
})

test('a password as long as the limit costs its slow hash, a longer one is refused before that', async () => {
  const hub = await (await testZone()).start()
  const offer = (password: string) => hub.handlers.loginByPassword(
    { username: 'alice', password, appid: 'gateway' }, hub.as(gateway))
  for (const [bytes, cost] of [[limits.passwordBytes, 1], [limits.passwordBytes + 1, 0]] as const) {
    for (const password of ['x'.repeat(bytes), `${'ü'.repeat(Math.floor(bytes / 2))}${bytes % 2 ? 'x' : ''}`]) {
      assert.is(await countSlowHashes(async () => {
        assert.is(await codeOf(Promise.resolve(offer(password))), 'InvalidPassword')
      }), cost)
    }
  }
})

test('a configuration write that others race is tried as often as the limit says, then Overloaded', async () => {
  for (const [times, outcome] of [[limits.writeAttempts - 1, 'done'], [limits.writeAttempts, 'Overloaded']] as const) {
    let left: number = times
    const records = {
      get: async () => undefined,
      commit: async () => left-- > 0 ? { succeeded: false, found: [undefined] } : { succeeded: true, revision: 7 },
    } as unknown as Records
    assert.is(await codeOf(execute(records, new Map([['users/a', { action: 'create', value: '1' }]]))), outcome)
  }
})

test('a vault transaction that others overtake is tried as often as the limit says, then Overloaded', async () => {
  const most = limits.vaultTransactionAttempts
  for (const [times, outcome] of [[most - 1, 'done'], [most, 'Overloaded']] as const) {
    let left: number = times
    const barrier = { read: async () => undefined, commit: async () => left-- <= 0 }
    const secrets = createSecrets({ barrier: barrier as never, clock: manualClock() })
    assert.is(await codeOf(secrets.put('users/alice', 'x', undefined)), outcome)
  }
})

/** Counts what costs: checks of signatures. */
function counting(): { keys: Keys; checks: () => number } {
  let checks = 0
  const keys: Keys = {
    ...crypto,
    importJwk: (jwk) => {
      const key = crypto.importJwk(jwk)
      return { ...key, verify: (message, signature) => (checks++, key.verify(message, signature)) }
    },
  }
  return { keys, checks: () => checks }
}

test('as many device documents as the limit are checked once, one more makes the oldest be checked again', () => {
  const owner = crypto.generate(systemRandom)
  const documents = Array.from({ length: limits.deviceDocuments + 1 }, (_, index): [string, string] =>
    [kv.device(`node${index}`), signDocument(owner, deviceDocumentType, {
      zone: 'z1', name: `node${index}`, role: 'node', key: owner.public.jwk, owner: 'alice', iat: now,
    })])
  const { keys, checks } = counting()
  const known = new KnownHosts(keys, { zone: 'z1', root: owner.public.jwk })
  const read = (start: number, end?: number) => known.read(Object.fromEntries(documents.slice(start, end))).devices
  assert.is(read(0, limits.deviceDocuments).length, limits.deviceDocuments)
  read(0, limits.deviceDocuments)
  assert.is(checks(), limits.deviceDocuments)
  read(limits.deviceDocuments)
  read(1)
  assert.is(checks(), limits.deviceDocuments + 1)
  assert.is(read(0, 1).length, 1)
  assert.is(checks(), limits.deviceDocuments + 2)
})

test('as many lists of devices as the limit are remembered, one more makes the oldest be forgotten', () => {
  const known = new KnownHosts(crypto, { zone: 'z1', root: crypto.generate(systemRandom).public.jwk })
  const digestOf = (index: number): string => known.read({ [kv.device(`node${index}`)]: '' }).digest
  const digests = Array.from({ length: limits.deviceLists }, (_, index) => digestOf(index))
  const remembered = (): number => digests.filter((digest) => known.before(digest)).length
  assert.is(remembered(), limits.deviceLists)
  digestOf(limits.deviceLists)
  assert.equal([remembered(), known.before(digests[0]!)], [limits.deviceLists - 1, undefined])
})

test('as many records as the limit are remembered parsed, one more makes the oldest be parsed again', async () => {
  const key = crypto.generate(systemRandom)
  const text = JSON.stringify({ zone: 'z1', root: key.public.jwk, verifyHub: [key.public.jwk], epoch: 0 })
  const config = { get: async () => ({ value: text, revision: 1 }) } as unknown as Config
  const signing = { current: key, follow: async () => {} } as unknown as SigningKeys
  const self = { current: () => '' }
  const zone = await openZone(config, { clock: manualClock(), keys: crypto, signing, self, epoch: 0 })
  const parse = (index: number) => zone.record(UserSettings, kv.user(`u${index}`), JSON.stringify({
    name: `u${index}`, type: 'user', state: 'active',
  }))
  const first = parse(0)
  for (let index = 1; index < limits.recordsRemembered; index++) parse(index)
  assert.is(parse(0), first)
  parse(limits.recordsRemembered)
  assert.is.not(parse(0), first)
})

test.run()
