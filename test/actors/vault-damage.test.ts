import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { VaultDamaged, VaultSealed } from '../../actors/vault/protocol.ts'
import { combine } from '../../actors/vault/shamir.ts'
import { Denied } from '../../runtime/errors.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { firstRelease } from './vault-first-release.ts'
import {
  type Started, as, contents, ensure, failure, furnished, newStore, newUnsealKey, start, takeShares, verifyHub,
} from './vault-fixture.ts'

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

test('no vault is made with an unseal key of another length than a key has', async () => {
  for (const length of [16, 31, 33]) {
    const secrets = { 'unseal-key': toBase64url(systemRandom.bytes(length)) }
    await failure(VaultSealed, () => start(newStore(), secrets))
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

test.run()
