import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { VaultSealed } from '../../actors/vault/protocol.ts'
import { InvalidArgument, LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import {
  as, contents, ensure, failure, newStore, newUnsealKey, start, startIn, supervisor, takeShares, verifyHub,
} from './vault-fixture.ts'

const path = 'verify-hub/s'

async function vaultWithShares() {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await start(store, secrets)
  const { handlers } = vault
  await handlers.putSecret({ path, value: 'one' }, as(verifyHub))
  const { shares } = await takeShares(handlers)
  const unseal = async (share?: string, reset?: boolean) => handlers.unseal({
    ...(share === undefined ? {} : { share }), ...(reset === undefined ? {} : { reset }),
  }, as(supervisor))
  const status = async () => handlers.status({}, as(supervisor))
  const read = async () => handlers.getSecret({ path }, as(verifyHub))
  const seal = async () => handlers.seal({}, as(supervisor))
  return { ...vault, store, secrets, shares, unseal, status, read, seal }
}

test('a sealed vault answers its status and takes shares, and nothing else is served', async () => {
  const { handlers, seal, status } = await vaultWithShares()
  const { kid } = await ensure(handlers)
  await seal()
  const { term, sealed, initialised, threshold, shares } = await status()
  assert.equal({ term, sealed, initialised, threshold, shares },
    { term: 0, sealed: true, initialised: true, threshold: 3, shares: 5 })
  const refused: (() => unknown)[] = [
    () => handlers.getSecret({ path }, as(verifyHub)),
    () => handlers.putSecret({ path, value: 'two' }, as(verifyHub)),
    () => ensure(handlers),
    () => handlers.readKey({ name: 'verify-hub' }, as(verifyHub)),
    () => handlers.keyVersions({ name: 'verify-hub' }, as(verifyHub)),
    () => handlers.rotateKey({ name: 'verify-hub', after: kid }, as(verifyHub)),
    () => handlers.destroyKeysBefore({ name: 'verify-hub', kid }, as(verifyHub)),
    () => handlers.rotateBarrier({}, as(supervisor)),
    () => handlers.auditHead({}, as(supervisor)),
    () => handlers.ensureAuthorities({}, as(supervisor)),
    () => handlers.seal({}, as(supervisor)),
  ]
  for (const run of refused) await failure(VaultSealed, async () => run())
})

test('shares open it one by one, in any order; one that was given before counts once, and that is said', async () => {
  const { shares, seal, unseal, read, status } = await vaultWithShares()
  await seal()
  assert.equal(await unseal(shares[4]), { sealed: true, progress: 1, threshold: 3, shares: 5 })
  assert.equal(await unseal(shares[4]), { sealed: true, progress: 1, threshold: 3, shares: 5, duplicate: true })
  assert.equal(await unseal(shares[1]), { sealed: true, progress: 2, threshold: 3, shares: 5 })
  assert.is((await status()).sealed, true)
  assert.equal(await unseal(shares[0]), { sealed: false, progress: 0, threshold: 3, shares: 5 })
  assert.is((await read()).value, 'one')
  assert.equal(await unseal(shares[2]), { sealed: false, progress: 0, threshold: 3, shares: 5 })
})

test('a wrong share spoils its gathering, which is forgotten; a reset forgets one that is under way', async () => {
  const { shares, seal, unseal, read } = await vaultWithShares()
  const [one, two, three] = shares as [string, string, string]
  const foreign = (await vaultWithShares()).shares[0]!
  await seal()
  await unseal(one)
  await unseal(two)
  const error = await failure(VaultSealed, () => unseal(foreign))
  assert.match(error.message, /forgotten/)
  for (const share of shares) assert.not.match(error.message, share)
  assert.is((await unseal(two)).progress, 1)
  assert.is((await unseal(undefined, true)).progress, 0)
  await unseal(one)
  await unseal(two)
  assert.is((await unseal(three)).sealed, false)
  assert.is((await read()).value, 'one')
})

test('what is no share changes nothing of those that were given', async () => {
  const { shares, seal, unseal } = await vaultWithShares()
  await seal()
  await unseal(shares[0])
  for (const share of ['', '?', toBase64url(systemRandom.bytes(32)), toBase64url(systemRandom.bytes(34)), 'AAAA=']) {
    await failure(InvalidArgument, () => unseal(share))
  }
  await failure(InvalidArgument, () => unseal(shares[1], true))
  assert.is((await unseal(shares[1])).progress, 2)
})

test('without a share it opens by the key file that it was started with', async () => {
  const { seal, unseal, read } = await vaultWithShares()
  await seal()
  assert.equal(await unseal(), { sealed: false, progress: 0, threshold: 3, shares: 5 })
  assert.is((await read()).value, 'one')
})

test('what was under way when it was sealed ends with VaultSealed, and what it held is of no use after', async () => {
  const store = newStore()
  const { handlers } = await start(store, { 'unseal-key': newUnsealKey() })
  // The writer is between its read and its commit when the seal comes
  let reached!: () => void
  let release!: () => void
  const stands = new Promise<void>((resolve) => { reached = resolve })
  const goes = new Promise<void>((resolve) => { release = resolve })
  const get = store.get.bind(store)
  store.get = async (key) => {
    const entry = await get(key)
    if (key.startsWith('secret/')) {
      reached()
      await goes
    }
    return entry
  }
  const before = await store.revision()
  const put = Promise.resolve(handlers.putSecret({ path, value: 'late' }, as(verifyHub))).catch((error) => error.code)
  await stands
  await handlers.seal({}, as(supervisor))
  release()
  assert.is(await put, 'VaultSealed')
  assert.is(await store.revision(), before)
})

test('a vault for itself starts with nothing, and waits; another does not start without a key', async () => {
  const alone = { env: { ZONEWRIGHT_VAULT_SEALED: '1' } }
  const empty = await startIn(newStore(), {}, alone)
  assert.equal(await empty.handlers.status({}, as(supervisor)),
    { initialised: false, sealed: true, term: 0, threshold: 0, shares: 0, vaultId: '' })
  const share = toBase64url(systemRandom.bytes(33))
  await failure(InvalidArgument, async () => empty.handlers.unseal({ share }, as(supervisor)))
  await failure(VaultSealed, async () => ensure(empty.handlers))

  const { store, shares, secrets } = await vaultWithShares()
  await failure(VaultSealed, () => startIn(store, {}))
  const { handlers } = await startIn(store, {}, alone)
  assert.is((await handlers.status({}, as(supervisor))).sealed, true)
  for (const each of shares.slice(1, 4)) await handlers.unseal({ share: each }, as(supervisor))
  assert.is((await handlers.getSecret({ path }, as(verifyHub))).value, 'one')
  const opened = await startIn(store, secrets, alone)
  assert.is((await opened.handlers.status({}, as(supervisor))).sealed, false)
})

test('a new term opens what lies there, and seals what is written from then on; others on the store follow', async () => {
  const { store, secrets, handlers, read } = await vaultWithShares()
  const second = await start(store, secrets)
  const termOfEntry = async (key: string): Promise<number> => (await store.get(key))!.value[3]!
  const rotate = async () => (await handlers.rotateBarrier({}, as(supervisor))).term
  assert.is(await rotate(), 2)
  assert.is((await read()).value, 'one')
  await handlers.putSecret({ path: 'verify-hub/new', value: 'two' }, as(verifyHub))
  assert.equal(await Promise.all(['secret/versions/verify-hub/s/1', 'secret/versions/verify-hub/new/1'].map(termOfEntry)),
    [1, 2])
  // It knows of no second term yet
  assert.is((await second.handlers.getSecret({ path: 'verify-hub/new' }, as(verifyHub))).value, 'two')
  await second.handlers.putSecret({ path: 'verify-hub/theirs', value: 'three' }, as(verifyHub))
  assert.is(await termOfEntry('secret/versions/verify-hub/theirs/1'), 2)
  assert.is((await second.handlers.rotateBarrier({}, as(supervisor))).term, 3)
  assert.is(await rotate(), 4)
  const again = await start(store, secrets)
  assert.equal(await Promise.all(['s', 'new', 'theirs'].map(async (name) =>
    (await again.handlers.getSecret({ path: `verify-hub/${name}` }, as(verifyHub))).value)), ['one', 'two', 'three'])
})

test('many rotations and writers at once lose nothing, and each rotation has a term of its own', async () => {
  const { store, secrets, handlers } = await vaultWithShares()
  const second = await start(store, secrets)
  const rotate = async (vault: typeof handlers) => (await vault.rotateBarrier({}, as(supervisor))).term
  const write = async (vault: typeof handlers, index: number) =>
    vault.putSecret({ path: `verify-hub/${index}`, value: `v${index}` }, as(verifyHub))
  const work = Array.from({ length: 24 }, (_, index) => {
    const vault = index % 2 === 0 ? handlers : second.handlers
    return index % 6 === 0 ? rotate(vault) : write(vault, index)
  })
  const terms = (await Promise.all(work)).filter((term) => typeof term === 'number')
  assert.equal([...terms].sort((left, right) => left - right), [2, 3, 4, 5])
  const { handlers: later } = await start(store, secrets)
  for (let index = 0; index < 24; index++) {
    if (index % 6 === 0) continue
    assert.is((await later.getSecret({ path: `verify-hub/${index}` }, as(verifyHub))).value, `v${index}`)
  }
})

test('what lies there is sealed anew when that is asked for, while others write', async () => {
  const { store, handlers, said } = await vaultWithShares()
  const count = limits.vaultReencryptPage + 10
  for (let index = 0; index < count; index++) {
    await handlers.putSecret({ path: `verify-hub/${index}`, value: 'old' }, as(verifyHub))
  }
  await handlers.rotateBarrier({ reencrypt: true }, as(supervisor))
  await handlers.putSecret({ path: 'verify-hub/3', value: 'new' }, as(verifyHub))
  for (let round = 0; round < 200 && !said.some((line) => line.includes('sealed anew')); round++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const terms = new Set([...await contents(store)]
    .filter(([key]) => !key.startsWith('core/')).map(([, value]) => value[3]))
  assert.equal([...terms], [2])
  const values = await Promise.all(Array.from({ length: count }, async (_, index) =>
    (await handlers.getSecret({ path: `verify-hub/${index}` }, as(verifyHub))).value))
  assert.equal(values.filter((value) => value === 'new').length, 1)
  assert.equal(values.filter((value) => value === 'old').length, count - 1)
})

test('a barrier has so many terms, and one more is refused', async () => {
  const { handlers } = await vaultWithShares()
  const rotate = async () => (await handlers.rotateBarrier({}, as(supervisor))).term
  for (let term = 2; term <= limits.vaultTerms; term++) await rotate()
  await failure(LimitExceeded, rotate)
})

test.run()
