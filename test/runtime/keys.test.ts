/** What is a key here: Ed25519, and of every public key one spelling. */
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'

const keys = await createCrypto()
const pemOf = { format: 'pem', type: 'pkcs8' } as const

test('a private key of another kind is refused', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  assert.throws(() => keys.importPem(privateKey.export(pemOf).toString()), /must be Ed25519/)
  assert.throws(() => keys.importPem(generateKeyPairSync('x25519').privateKey.export(pemOf).toString()), /must be/)
  const own = keys.generate(new SeededRandom('keys test'))
  assert.is(keys.importPem(own.exportPem()).public.kid, own.public.kid)
})

test('a public key that is spelled in another way is refused: it would have another thumbprint', () => {
  const { jwk } = keys.generate(new SeededRandom('keys test')).public
  assert.equal(keys.importJwk(jwk).jwk, jwk)
  // 43 characters carry 258 bits, of which the last two mean nothing
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet[alphabet.indexOf(jwk.x.at(-1)!) + 1]!
  for (const x of [jwk.x.slice(0, -1) + last, `${jwk.x}=`, ` ${jwk.x}`]) {
    assert.equal(new Uint8Array(Buffer.from(x, 'base64url')), new Uint8Array(Buffer.from(jwk.x, 'base64url')))
    assert.throws(() => keys.importJwk({ ...jwk, x }), /Ed25519 JWK/)
  }
})

test('a slow hash is scrypt with the cost that is asked for', async () => {
  const text = (word: string): Uint8Array => new TextEncoder().encode(word)
  // RFC 7914 §12: the first half of what has 64 bytes there
  const hash = await keys.slowHash(text('password'), text('NaCl'), { logN: 10, r: 8, p: 16 })
  const hex = 'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162'
  assert.is(Buffer.from(hash).toString('hex'), hex)
  const other = await keys.slowHash(text('password'), text('NaCl'), { logN: 10, r: 8, p: 1 })
  assert.is.not(Buffer.from(other).toString('hex'), hex)
})

test.run()
