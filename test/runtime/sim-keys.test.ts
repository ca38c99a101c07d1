import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Denied, InvalidArgument } from '../../runtime/errors.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import { createKeys } from '../../runtime/sim/keys.ts'
import { Nondeterminism } from '../../runtime/sim/nondeterminism.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { utf8 } from './sim-fixture.ts'

for (const kind of ['cheap', 'real'] as const) {
  const keysSuite = suite(`${kind} keys of a simulation`)
  let keys: Keys
  keysSuite.before(async () => { keys = await createKeys(kind) })

  keysSuite('a signature holds for its key and message only', () => {
    const key = keys.generate(new SeededRandom('a'))
    const other = keys.generate(new SeededRandom('b'))
    const message = utf8('a message of some length, longer than a block')
    const signature = key.sign(message)
    assert.is(signature.length, 64)
    assert.equal(key.sign(message), signature)
    const imported = keys.importJwk(key.public.jwk)
    assert.is(imported.kid, key.public.kid)
    assert.ok(imported.verify(message, signature))
    assert.not(other.public.verify(message, signature))
    for (let bit = 0; bit < message.length * 8; bit += 5) assert.not(imported.verify(flip(message, bit), signature))
    for (let bit = 0; bit < 512; bit += 7) assert.not(imported.verify(message, flip(signature, bit)))
    assert.not(imported.verify(message, new Uint8Array(64)))
    assert.not(imported.verify(message, signature.subarray(1)))
    assert.is(keys.importPem(key.exportPem()).public.kid, key.public.kid)
    assert.throws(() => keys.importPem('no key'), (error: unknown) => error instanceof InvalidArgument)
    const short = { ...key.public.jwk, x: 'AA' }
    assert.throws(() => keys.importJwk(short), (error: unknown) => error instanceof InvalidArgument)
  })

  keysSuite('two ends agree on a secret that a third does not get, and zero is refused', () => {
    const [left, right, third] = ['a', 'b', 'c'].map((label) => keys.agreement(new SeededRandom(label)))
    assert.ok(left && right && third)
    assert.equal(new Uint8Array(left.agree(right.publicKey)), new Uint8Array(right.agree(left.publicKey)))
    assert.not.equal(new Uint8Array(left.agree(right.publicKey)), new Uint8Array(third.agree(left.publicKey)))
    assert.throws(() => left.agree(new Uint8Array(32)), (error: unknown) => error instanceof Denied)
    assert.throws(() => left.agree(new Uint8Array(31)), (error: unknown) => error instanceof Denied)
  })

  keysSuite('a MAC and a seal cover key, header and content, and a seal hides the content', () => {
    const [key, otherKey] = [keys.hash(utf8('1')), keys.hash(utf8('2'))]
    const [header, frame] = [utf8('header 16 bytes.'), utf8('the content of a frame')]
    const tag = (macKey: Uint8Array, tagHeader: Uint8Array, content: Uint8Array): string =>
      keys.mac(macKey).tag(tagHeader, content).join()
    const own = tag(key, header, frame)
    assert.is(own.split(',').length, 16)
    assert.is(tag(key, header, frame), own)
    assert.is.not(tag(otherKey, header, frame), own)
    assert.is.not(tag(key, flip(header, 3), frame), own)
    assert.is.not(tag(key, header, flip(frame, 170)), own)
    const nonce = new Uint8Array(12)
    const sealed = keys.aead(key).seal(nonce, frame, header)
    assert.is(sealed.length, frame.length + 16)
    assert.is(new TextDecoder().decode(sealed).includes('content'), false)
    assert.equal(new Uint8Array(keys.aead(key).open(nonce, sealed, header) ?? []), frame)
    for (let bit = 0; bit < sealed.length * 8; bit += 3) {
      assert.is(keys.aead(key).open(nonce, flip(sealed, bit), header), undefined)
    }
    assert.is(keys.aead(otherKey).open(nonce, sealed, header), undefined)
    assert.is(keys.aead(key).open(nonce, sealed, frame), undefined)
    assert.is(keys.aead(key).open(flip(nonce, 1), sealed, header), undefined)
  })

  keysSuite('a derived key has the length that was asked for, and depends on secret, salt and purpose', () => {
    const derive = (secret: string, salt: string, info: string): string =>
      keys.derive(utf8(secret), utf8(salt), info, 40).join()
    assert.is(derive('a', 'b', 'c').split(',').length, 40)
    assert.is(derive('a', 'b', 'c'), derive('a', 'b', 'c'))
    for (const other of [derive('x', 'b', 'c'), derive('a', 'x', 'c'), derive('a', 'b', 'x'), derive('a', 'bc', '')]) {
      assert.is.not(other, derive('a', 'b', 'c'))
    }
  })

  keysSuite('an encrypted private key, whose bytes no seed decides, is refused', () => {
    const key = keys.generate(new SeededRandom('a'))
    assert.throws(() => key.exportPem('passphrase'), (error: unknown) => error instanceof Nondeterminism)
    const again = keys.importPem(key.exportPem())
    assert.throws(() => again.exportPem('passphrase'), (error: unknown) => error instanceof Nondeterminism)
  })

  keysSuite('a slow hash completes without a thread pool', async () => {
    let settled = false
    const hash = keys.slowHash(utf8('password'), utf8('salt'), { logN: 15, r: 8, p: 3 })
    void hash.then(() => (settled = true))
    for (let tick = 0; tick < 10; tick++) await Promise.resolve()
    assert.ok(settled)
    assert.equal(await hash, await keys.slowHash(utf8('password'), utf8('salt'), { logN: 15, r: 8, p: 3 }))
    assert.not.equal(await hash, await keys.slowHash(utf8('Password'), utf8('salt'), { logN: 15, r: 8, p: 3 }))
  })

  keysSuite.run()
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
