import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { unkept } from '../../actors/vault/audit/audit.ts'
import { createCore } from '../../actors/vault/core.ts'
import { VaultDamaged, VaultSealed } from '../../actors/vault/protocol.ts'
import { GenerateRoot } from '../../actors/vault/seal/generate-root.ts'
import { createSealLife } from '../../actors/vault/seal/life.ts'
import { Rekey, type RekeyStep } from '../../actors/vault/seal/rekey.ts'
import { unseal, type UnsealSecrets } from '../../actors/vault/unseal.ts'
import { AlreadyExists, InvalidArgument, NotFound, Overloaded } from '../../runtime/errors.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Store } from '../../runtime/store/store.ts'
import { fromBase64url } from '../../runtime/trust/base64url.ts'
import { contents, failure, keys, newStore, newUnsealKey, start } from './vault-fixture.ts'

/** The vault of a store without the actor around it. */
async function vaultIn(store: Store, secrets: UnsealSecrets, starts = true) {
  const ports = { store, keys, random: systemRandom, clock: systemClock }
  const core = createCore({ ports, audit: unkept, reopen: () => unseal(ports, secrets) })
  const life = createSealLife({ core, audit: unkept, secrets, booted: false, onChange() {} })
  if (starts) await life.start()
  const shares = (life.takeShares() ?? []).map((share) => fromBase64url(share)!)
  return { core, life, shares, rekey: new Rekey(core, unkept, secrets) }
}

type Vault = Awaited<ReturnType<typeof vaultIn>>

/** Gives the shares of the old split, and answers with the last step. */
async function offerAll({ rekey }: Vault, nonce: string, shares: readonly Uint8Array[]): Promise<RekeyStep> {
  let step: RekeyStep | undefined
  for (const share of shares) step = await rekey.offer(nonce, share)
  return step!
}

const opens = async (store: Store, shares: readonly Uint8Array[]): Promise<boolean> => {
  const vault = await vaultIn(store, {}, false)
  try {
    for (const share of shares) await vault.life.unsealBy(share)
  } catch (error) {
    if (error instanceof VaultSealed || error instanceof InvalidArgument) return false
    throw error
  }
  return vault.core.unsealed !== undefined
}

test('a vault is split as it is asked to be: one share alone is the root key, and several need two of them', async () => {
  for (const [shares, threshold] of [[1, 1], [2, 2], [7, 4]] as const) {
    const store = newStore()
    const vault = await vaultIn(store, {}, false)
    assert.is((await vault.life.status()).initialised, false)
    const made = await vault.life.initialise({ shares, threshold })
    assert.is(made.length, shares)
    assert.ok(made.every((share) => share.length === (threshold === 1 ? 32 : 33)))
    assert.is((await vault.life.status()).sealed, true, 'without a key file it waits for its shares')
    assert.is(await opens(store, made.slice(0, threshold)), true)
    assert.is(await opens(store, made.slice(0, threshold - 1)), false)
    await failure(AlreadyExists, () => vault.life.initialise({ shares: 5, threshold: 3 }))
  }
  for (const [shares, threshold] of [[2, 1], [0, 0], [3, 4], [256, 2], [1, 2]] as const) {
    const store = newStore()
    const { life } = await vaultIn(store, {}, false)
    await failure(InvalidArgument, () => life.initialise({ shares, threshold }))
    assert.is((await contents(store)).size, 0)
  }
})

test('of two that initialise one store one has shares, and they open it', async () => {
  const store = newStore()
  const vaults = await Promise.all(Array.from({ length: 4 }, () => vaultIn(store, {}, false)))
  const outcomes = await Promise.allSettled(vaults.map(({ life }) => life.initialise({ shares: 3, threshold: 2 })))
  const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  assert.is(made.length, 1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') assert.instance(outcome.reason, AlreadyExists)
  const [{ life }] = vaults as [Vault]
  for (const share of made[0]!.slice(0, 2)) await life.unsealBy(share)
  assert.is((await life.status()).sealed, false)
})

test('after a rekey the new shares and the key file open the vault, and the old shares do not', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await vaultIn(store, secrets)
  await vault.core.open().secrets.put('verify-hub/s', 'kept', undefined)
  const { nonce, required } = await vault.rekey.begin({ shares: 4, threshold: 2, verify: false })
  assert.is(required, 3)
  await failure(AlreadyExists, () => vault.rekey.begin({ shares: 4, threshold: 2, verify: false }))
  await failure(NotFound, () => vault.rekey.offer('another nonce', vault.shares[0]!))
  assert.equal(await vault.rekey.offer(nonce, vault.shares[0]!), { complete: false, progress: 1, duplicate: false })
  assert.equal(await vault.rekey.offer(nonce, vault.shares[0]!), { complete: false, progress: 1, duplicate: true })
  const step = await offerAll(vault, nonce, vault.shares.slice(1, 3))
  assert.ok(step.complete)
  assert.is(step.shares.length, 4)
  assert.is((await vault.rekey.status()).nonce, '')
  assert.is(await opens(store, vault.shares.slice(0, 3)), false)
  assert.is(await opens(store, step.shares.slice(2)), true)
  const again = await vaultIn(store, secrets)
  assert.is((await again.core.open().secrets.get('verify-hub/s')).value, 'kept')
  assert.is(await vault.core.open().terms.rotate(), 2, 'the vault that was rekeyed goes on')
  assert.is((await (await vaultIn(store, secrets)).core.open().secrets.get('verify-hub/s')).value, 'kept')
})

test('shares that are to be verified count only once enough of them were given back', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await vaultIn(store, secrets)
  const begin = async () => {
    const { nonce } = await vault.rekey.begin({ shares: 3, threshold: 2, verify: true })
    const step = await offerAll(vault, nonce, vault.shares.slice(0, 3))
    assert.ok(step.complete)
    return step
  }
  const abandoned = await begin()
  const before = await contents(store)
  assert.is(await opens(store, abandoned.shares), false)
  vault.rekey.cancel()
  await failure(NotFound, () => vault.rekey.verify(abandoned.verificationNonce, abandoned.shares[0]!))
  const { shares, verificationNonce: nonce } = await begin()
  assert.is((await vault.rekey.verify(nonce, shares[0]!)).complete, false)
  await failure(VaultSealed, () => vault.rekey.verify(nonce, abandoned.shares[1]!))
  assert.equal(await contents(store), before, 'nothing was changed')
  await vault.rekey.verify(nonce, shares[2]!)
  assert.is((await vault.rekey.verify(nonce, shares[1]!)).complete, true)
  assert.is(await opens(store, shares.slice(0, 2)), true)
  assert.is(await opens(store, vault.shares.slice(0, 3)), false)
})

test('wrong shares begin the gathering of a rekey anew, under the same nonce, and change nothing', async () => {
  const store = newStore()
  const vault = await vaultIn(store, { 'unseal-key': newUnsealKey() })
  const stranger = await vaultIn(newStore(), { 'unseal-key': newUnsealKey() })
  const before = await contents(store)
  const { nonce } = await vault.rekey.begin({ shares: 5, threshold: 3, verify: false })
  await failure(VaultSealed, () => offerAll(vault, nonce, [...vault.shares.slice(0, 2), stranger.shares[0]!]))
  await failure(InvalidArgument, () => vault.rekey.offer(nonce, new Uint8Array(32)))
  assert.equal(await contents(store), before)
  assert.is((await vault.rekey.status()).progress, 0)
  assert.ok((await offerAll(vault, nonce, vault.shares.slice(2))).complete)
})

test('without the key file that opens it no rekey is begun: the vault would not start again', async () => {
  const store = newStore()
  const vault = await vaultIn(store, { 'unseal-key': newUnsealKey() })
  const alone = await vaultIn(store, {}, false)
  for (const share of vault.shares.slice(0, 3)) await alone.life.unsealBy(share)
  await failure(VaultSealed, () => alone.rekey.begin({ shares: 5, threshold: 3, verify: false }))
  await failure(InvalidArgument, () => vault.rekey.begin({ shares: 5, threshold: 1, verify: false }))
})

test('a seal ends a rekey that is under way', async () => {
  const vault = await vaultIn(newStore(), { 'unseal-key': newUnsealKey() })
  const { nonce } = await vault.rekey.begin({ shares: 5, threshold: 3, verify: false })
  await vault.rekey.offer(nonce, vault.shares[0]!)
  await vault.life.seal()
  await failure(VaultSealed, () => vault.rekey.offer(nonce, vault.shares[1]!))
  await vault.life.unsealByKey()
  await failure(NotFound, () => vault.rekey.offer(nonce, vault.shares[1]!))
})

test('a vault on the same store follows a rekey and the terms after it; without a key file it seals itself', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await vaultIn(store, secrets)
  const other = await vaultIn(store, secrets)
  const alone = await vaultIn(store, {}, false)
  for (const share of vault.shares.slice(0, 3)) await alone.life.unsealBy(share)
  const { nonce } = await vault.rekey.begin({ shares: 3, threshold: 2, verify: false })
  assert.ok((await offerAll(vault, nonce, vault.shares.slice(0, 3))).complete)
  assert.is(await vault.core.open().terms.rotate(), 2)
  await vault.core.open().secrets.put('verify-hub/s', 'two', undefined)
  assert.is((await other.core.open().secrets.get('verify-hub/s')).value, 'two')
  assert.is(await other.core.open().terms.rotate(), 3)
  await failure(VaultSealed, () => alone.core.open().secrets.get('verify-hub/s'))
})

test('of two rekeys at once one comes into force, and the other changes nothing', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const first = await vaultIn(store, secrets)
  const second = await vaultIn(store, secrets)
  const nonces = await Promise.all([first, second].map(async ({ rekey }) =>
    (await rekey.begin({ shares: 3, threshold: 2, verify: false })).nonce))
  for (const share of first.shares.slice(0, 2)) {
    await first.rekey.offer(nonces[0]!, share)
    await second.rekey.offer(nonces[1]!, share)
  }
  const outcomes = await Promise.allSettled([
    first.rekey.offer(nonces[0]!, first.shares[2]!), second.rekey.offer(nonces[1]!, first.shares[2]!),
  ])
  const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' && outcome.value.complete
    ? [outcome.value] : []))
  assert.is(done.length, 1)
  const [lost] = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  assert.ok(lost instanceof Overloaded || lost instanceof VaultSealed, String(lost))
  assert.is(await opens(store, done[0]!.shares), true)
  assert.ok((await vaultIn(store, secrets)).core.unsealed)
})

test('a root token is made for who brings enough shares, and only the pad of who began it shows it', async () => {
  const vault = await vaultIn(newStore(), { 'unseal-key': newUnsealKey() })
  const token = 'hvs.012345678901234567890123'
  const root = new GenerateRoot(vault.core, unkept, token.length)
  let made = 0
  const makeToken = async (): Promise<string> => {
    made++
    return token
  }
  const { nonce, otp, required, otpLength } = await root.begin()
  assert.equal([required, otpLength, /^[A-Za-z0-9]{28}$/.test(otp)], [3, 28, true])
  await failure(AlreadyExists, () => root.begin())
  await failure(NotFound, () => root.offer('another', vault.shares[0]!, makeToken))
  await root.offer(nonce, vault.shares[0]!, makeToken)
  const again = await root.offer(nonce, vault.shares[0]!, makeToken)
  assert.equal(again, { complete: false, progress: 1, duplicate: true })
  await root.offer(nonce, vault.shares[3]!, makeToken)
  assert.is(made, 0)
  const last = await root.offer(nonce, vault.shares[4]!, makeToken)
  assert.ok(last.complete)
  const pad = new TextEncoder().encode(otp)
  assert.is(new TextDecoder().decode(last.encoded.map((byte, index) => byte ^ pad[index]!)), token)
  await failure(NotFound, () => root.offer(nonce, vault.shares[0]!, makeToken))

  const stranger = await vaultIn(newStore(), { 'unseal-key': newUnsealKey() })
  const second = await root.begin('x'.repeat(28))
  await failure(VaultSealed, async () => {
    for (const share of [...vault.shares.slice(0, 2), stranger.shares[0]!]) {
      await root.offer(second.nonce, share, makeToken)
    }
  })
  assert.is(made, 1)
  root.cancel()
  await failure(InvalidArgument, () => root.begin('short'))
})

test('the keyring of another vault, or a seal of another, opens nothing', async () => {
  const [store, strange] = [newStore(), newStore()]
  const secrets = { 'unseal-key': newUnsealKey() }
  const vault = await vaultIn(store, secrets)
  await vaultIn(strange, secrets)
  for (const path of ['core/keyring', 'core/seal-config', 'core/unseal/auto']) {
    const own = (await store.get(path))!.value
    await store.put(path, (await strange.get(path))!.value)
    const outcome = await start(store, secrets).then(() => 'opened', (error) => error.code)
    assert.ok(['VaultDamaged', 'VaultSealed'].includes(outcome), `${path}: ${outcome}`)
    await store.put(path, own)
  }
  assert.ok(vault.core.unsealed)
})

test('a record of a term that no keyring has is damaged, and the keyring is looked at once for it', async () => {
  const store = newStore()
  const vault = await vaultIn(store, { 'unseal-key': newUnsealKey() })
  await vault.core.open().secrets.put('verify-hub/s', 'one', undefined)
  const path = 'secret/versions/verify-hub/s/1'
  const record = (await store.get(path))!.value
  record[3] = 9
  await store.put(path, record)
  const error = await failure(VaultDamaged, () => vault.core.open().secrets.get('verify-hub/s'))
  assert.match(error.message, /no key of its term: 9/)
})

test.run()
