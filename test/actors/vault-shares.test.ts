import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { VaultSealed } from '../../actors/vault/protocol.ts'
import { combine, split } from '../../actors/vault/shamir.ts'
import { InvalidArgument, NotFound } from '../../runtime/errors.ts'
import type { Random } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import {
  contents, ensure, failure, hex, keys, newStore, newUnsealKey, start, takeShares,
} from './vault-fixture.ts'

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
