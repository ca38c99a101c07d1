/** What is a key here: Ed25519, and of every public key one spelling. */
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Random } from '../../runtime/platform/ports.ts'
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

/** Gives the one secret that a key is made of. */
const giving = (hex: string): Random => ({ bytes: () => Uint8Array.from(Buffer.from(hex, 'hex')) } as unknown as Random)
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a key is made of its secret as the standards say, and its file has both halves', () => {
  // RFC 8032 §7.1, test 2
  const own = keys.generate(giving('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
  const signature = '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da'
    + '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
  for (const key of [own, keys.importPem(own.exportPem())]) {
    assert.is(hexOf(Buffer.from(key.public.jwk.x, 'base64url')),
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    assert.is(hexOf(key.sign(Uint8Array.of(0x72))), signature)
  }
  // RFC 7748 §6.1
  const theirs = keys.agreement(giving('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
  assert.is(hexOf(theirs.publicKey), 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
  const alicePublic = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'
  assert.is(hexOf(theirs.agree(Buffer.from(alicePublic, 'hex'))),
    '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
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
