/** Keys of certificates: which there are, that they sign, and which are refused. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CertificateKeyType } from '../../runtime/platform/certificate-keys.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'

const { certificates: keys } = await createCrypto()
const random = new SeededRandom('certificate keys')
const message = new TextEncoder().encode('a message')
const types: readonly CertificateKeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519']

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[at]! ^= 1
  return copy
}

for (const type of types) {
  test(`${type}: a signature holds for its key and message only, and for the key as it is read again`, async () => {
    const key = await keys.generate(type, random)
    const other = await keys.generate(type, random)
    assert.is(key.public.type, type)
    const signature = key.sign(message)
    const pem = key.exportPem()
    assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/)
    const read = keys.importPem(pem)
    assert.equal(read.public.spki, key.public.spki)
    assert.ok(key.public.verify(message, read.sign(message)))
    const publicKey = keys.importSpki(key.public.spki)
    assert.is(publicKey.type, type)
    assert.ok(publicKey.verify(message, signature))
    assert.not(other.public.verify(message, signature))
    assert.not(publicKey.verify(flipped(message, 3), signature))
    for (let at = 0; at < signature.length; at++) assert.not(publicKey.verify(message, flipped(signature, at)))
    for (const wrong of [new Uint8Array(), signature.subarray(1), new Uint8Array([...signature, 0])]) {
      assert.not(publicKey.verify(message, wrong))
    }
    // What the runtime itself makes of it
    const native = createPublicKey({ key: Buffer.from(publicKey.spki), format: 'der', type: 'spki' })
    assert.is(native.asymmetricKeyType, type.slice(0, 3) === 'ec-' ? 'ec' : type.slice(0, 3) === 'rsa' ? 'rsa' : type)
  })
}

test('an ECDSA signature by another hash than the usual one is checked by that', async () => {
  for (const type of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
    const key = await keys.generate(type, random)
    const native = createPrivateKey(key.exportPem())
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      const signature = sign(hash, message, { key: native, dsaEncoding: 'der' })
      for (const other of ['sha256', 'sha384', 'sha512'] as const) {
        assert.is(key.public.verify(message, signature, other), hash === other, `${type} ${hash} ${other}`)
      }
    }
  }
})

test.run()
