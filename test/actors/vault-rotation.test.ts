import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBarrier } from '../../actors/vault/barrier.ts'
import { createKeyring, termsOf } from '../../actors/vault/keyring.ts'
import { createNamedKeys } from '../../actors/vault/named-keys.ts'
import { Denied, LimitExceeded, NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import {
  as, contents, ensure, failure, kernelPeer, keys, newStore, newUnsealKey, start, verifyHub,
} from './vault-fixture.ts'

const name = 'verify-hub'

async function vaultWithKey() {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await start(store, secrets)
  const { kid } = await ensure(vault.handlers)
  const restart = async () => (await start(store, secrets)).handlers
  return { ...vault, store, kid, restart }
}

const by = (incarnation: number) => as(kernelPeer(name, { incarnation, kid: `link-${incarnation}` }))

test('the next version of a key is made once: for many callers, every retry, and after a restart', async () => {
  const { handlers, kid, restart } = await vaultWithKey()
  const rotate = async (from = handlers) => from.rotateKey({ name, after: kid }, as(verifyHub))
  const answers = await Promise.all(Array.from({ length: 10 }, () => rotate()))
  const again = await rotate(await restart())
  assert.is(answers.filter(({ created }) => created).length, 1)
  assert.equal(new Set([...answers, again].map((answer) => answer.kid)).size, 1)
  assert.equal([again.version, again.created, again.kid === kid], [2, false, false])
  assert.is(keys.importJwk(again.publicKey).kid, again.kid)
  const versions = await handlers.keyVersions({ name }, as(verifyHub))
  assert.equal(versions.map((version) => [version.version, version.kid]), [[1, kid], [2, again.kid]])
  assert.not.ok(JSON.stringify(versions).includes('PRIVATE'))
  const third = await handlers.rotateKey({ name, after: again.kid }, as(verifyHub))
  assert.equal([third.version, third.created], [3, true])
  assert.is((await rotate()).kid, again.kid, 'after the first is still the second')
})

test('each version is read once by each incarnation; without a kid the oldest is', async () => {
  const { handlers, kid } = await vaultWithKey()
  const next = await handlers.rotateKey({ name, after: kid }, as(verifyHub))
  const read = async (incarnation: number, of?: string) =>
    handlers.readKey({ name, ...(of === undefined ? {} : { kid: of }) }, by(incarnation))
  const first = await read(1)
  assert.equal([first.kid, first.version], [kid, 1])
  const second = await read(1, next.kid)
  assert.is(keys.importPem(second.pem).public.kid, next.kid)
  for (const of of [undefined, kid, next.kid]) await failure(Denied, () => read(1, of))
  assert.is((await read(2, next.kid)).pem, second.pem)
  await failure(NotFound, () => read(3, 'unknown'))
})

test('who was given the key by a release that had one version is given none of them again', async () => {
  const ring = createKeyring({ vaultId: 'AAAA', shares: 5, threshold: 3 }, systemRandom, systemClock)
  const barrier = createBarrier({ store: newStore(), random: systemRandom, terms: termsOf(ring, keys) })
  const named = createNamedKeys({ barrier, keys, random: systemRandom, clock: systemClock })
  const { kid } = await named.ensure(name)
  const next = await named.next(name, kid)
  const { host, actor, incarnation, kid: linkKid } = verifyHub
  const grants = [{ host, actor, incarnation, linkKid, at: 1 }]
  assert.ok(await barrier.commit([], [{ path: `grants/keys/${name}`, value: { grants } }]))
  for (const of of [undefined, kid, next.kid]) assert.is(await named.readOnce(name, of, verifyHub), undefined)
  assert.is((await named.readOnce(name, next.kid, { ...verifyHub, kid: 'link-2' }))?.kid, next.kid)
})

test('versions before one are destroyed, that one and later ones stay, and again there is nothing to do', async () => {
  const { handlers, kid, store, restart, said } = await vaultWithKey()
  const { pem } = await handlers.readKey({ name }, by(1))
  const next = await handlers.rotateKey({ name, after: kid }, as(verifyHub))
  const last = await handlers.rotateKey({ name, after: next.kid }, as(verifyHub))
  const destroy = async (before: string, from = handlers) =>
    from.destroyKeysBefore({ name, kid: before }, as(verifyHub))
  assert.equal(await destroy(kid), { destroyed: 0 })
  assert.equal(await destroy(next.kid), { destroyed: 1 })
  assert.equal(await destroy(next.kid), { destroyed: 0 })
  const restarted = await restart()
  assert.equal(await destroy(next.kid, restarted), { destroyed: 0 })
  await failure(NotFound, () => restarted.readKey({ name, kid }, by(2)))
  await failure(NotFound, () => destroy(kid))
  const left = await restarted.keyVersions({ name }, as(verifyHub))
  assert.equal(left.map((version) => [version.version, version.kid]), [[2, next.kid], [3, last.kid]])
  await failure(NotFound, () => restarted.rotateKey({ name, after: kid }, as(verifyHub)))
  assert.equal((await restarted.readKey({ name }, by(2))).kid, next.kid)
  assert.not.ok(said.join().includes(pem.split('\n')[1]!))
  const stored = [...(await contents(store)).values()].map((value) => new TextDecoder('latin1').decode(value)).join()
  assert.not.ok(stored.includes(pem.split('\n')[1]!))
})

test('a key has so many versions at a time, and when older ones are destroyed the next is made', async () => {
  const { handlers, kid } = await vaultWithKey()
  let newest = kid
  const rotate = async () => handlers.rotateKey({ name, after: newest }, as(verifyHub))
  for (let version = 2; version <= limits.vaultKeyVersions; version++) newest = (await rotate()).kid
  await failure(LimitExceeded, rotate)
  await handlers.destroyKeysBefore({ name, kid: newest }, as(verifyHub))
  assert.is((await rotate()).version, limits.vaultKeyVersions + 1)
})

test('without a key there is no next version, and nothing to tell or destroy', async () => {
  const { handlers } = await start(newStore(), { 'unseal-key': newUnsealKey() })
  await failure(NotFound, () => handlers.keyVersions({ name }, as(verifyHub)))
  await failure(NotFound, () => handlers.rotateKey({ name, after: 'x' }, as(verifyHub)))
  await failure(NotFound, () => handlers.destroyKeysBefore({ name, kid: 'x' }, as(verifyHub)))
})

test.run()
