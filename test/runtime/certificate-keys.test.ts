/** Keys of certificates: which there are, that they sign, and which are refused. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument } from '../../runtime/errors.ts'
import type { CertificateKeyType, CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { createKeys } from '../../runtime/sim/keys.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { ed25519Spki } from '../../runtime/x509/spki.ts'
import { bytesOf, changed, type DerNode } from './der-tree.ts'

const { certificates: keys } = await createCrypto()
const random = new SeededRandom('certificate keys')
const message = new TextEncoder().encode('a message')
const types: readonly CertificateKeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519']

/** One of each: to make a key of RSA takes Deno a second and more. */
const keyOf = (type: CertificateKeyType): Promise<CertificateSigningKey> => {
  const made = known.get(type) ?? keys.generate(type, random)
  known.set(type, made)
  return made
}
const known = new Map<CertificateKeyType, Promise<CertificateSigningKey>>()

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[at]! ^= 1
  return copy
}

for (const type of types) {
  test(`${type}: a signature holds for its key and message only, and for the key as it is read again`, async () => {
    const key = await keyOf(type)
    const other = await keys.generate(type === 'rsa-2048' ? 'ec-p256' : type, random)
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
    for (let at = 0; at < signature.length; at += 5) assert.not(publicKey.verify(message, flipped(signature, at)))
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
    const key = await keyOf(type)
    const native = createPrivateKey(key.exportPem())
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      const signature = sign(hash, message, { key: native, dsaEncoding: 'der' })
      for (const other of ['sha256', 'sha384', 'sha512'] as const) {
        assert.is(key.public.verify(message, signature, other), hash === other, `${type} ${hash} ${other}`)
      }
    }
  }
})

const isInvalid = (error: unknown): boolean => error instanceof InvalidArgument
const spkiOf = (type: 'ec' | 'rsa' | 'ed25519' | 'x25519', options: object = {}): Uint8Array => Uint8Array.from(
  (generateKeyPairSync as unknown as (type: string, options: object) => { publicKey: { export(how: object): Buffer } })(
    type, options).publicKey.export({ format: 'der', type: 'spki' }))
const refuse = (spki: Uint8Array, why: RegExp): void => {
  assert.throws(() => keys.importSpki(spki), why)
  assert.throws(() => keys.importSpki(spki), isInvalid)
}

test('a point that is not of its curve, half of one, none at all, or one of another curve is refused', () => {
  for (const [namedCurve, bytes] of [['P-256', 32], ['P-384', 48]] as const) {
    const spki = spkiOf('ec', { namedCurve })
    const withPoint = (change: (bits: Uint8Array) => Uint8Array) =>
      changed(spki, [1], (node) => { node.bytes = change(node.bytes) })
    refuse(withPoint((bits) => flipped(bits, bits.length - 1)), /not one of ec-/)
    refuse(withPoint((bits) => bits.slice().fill(0, 2)), /not one of ec-/)
    refuse(withPoint((bits) => bits.slice().fill(0xff, 2)), /not one of ec-/)
    // Compressed (SEC 1 §2.3.3), hybrid, and the point at infinity
    const sign = (bits: Uint8Array): number => bits.at(-1)! & 1
    refuse(withPoint((bits) => Uint8Array.from([0, 2 + sign(bits), ...bits.slice(2, 2 + bytes)])), /given whole/)
    refuse(withPoint((bits) => Uint8Array.from([0, 6 + sign(bits), ...bits.slice(2)])), /given whole/)
    refuse(withPoint(() => Uint8Array.of(0, 0)), /given whole/)
    refuse(withPoint((bits) => bits.slice(0, -1)), /given whole/)
  }
  refuse(spkiOf('ec', { namedCurve: 'P-521' }), /curve must be P-256 or P-384: 1.3.132.0.35/)
  const p256 = spkiOf('ec', { namedCurve: 'P-256' })
  refuse(changed(p256, [0, 1], (node) => { node.bytes = Uint8Array.of(0x2b, 0x81, 4, 0, 0x0a) }), /curve must be/)
  // RFC 5480 §2.1.1: a curve of one's own, in which anybody's signature can be made good (CVE-2020-0601)
  refuse(changed(p256, [0, 1], (node) => { node.tag = 0x30 }), /curve must be named/)
  refuse(changed(p256, [0], (node) => { node.children!.pop() }), /curve must be named/)
})

test('an RSA key that is too short, too long or no such key is refused', async () => {
  const { public: { spki } } = await keyOf('rsa-2048')
  /** A key by its numbers. */
  const rsa = (n: Uint8Array, e: readonly number[] = [1, 0, 1]): Uint8Array => {
    const number = (bytes: readonly number[]): DerNode =>
      ({ tag: 2, bytes: Uint8Array.from(bytes[0]! >= 0x80 ? [0, ...bytes] : bytes) })
    const key = bytesOf({ tag: 0x30, bytes: new Uint8Array(), children: [number([...n]), number(e)] })
    return changed(spki, [1], (node) => { node.bytes = Uint8Array.from([0, ...key]) })
  }
  const odd = new Uint8Array(256).fill(0xff)
  for (const modulusLength of [1024, 2047, 2056, 8192]) {
    const n = new Uint8Array(Math.ceil(modulusLength / 8)).fill(0xff)
    n[0] = 2 ** (((modulusLength - 1) % 8) + 1) - 1
    refuse(rsa(n), new RegExp(`must have 2048, 3072, 4096 bits: ${modulusLength}`))
  }
  refuse(rsa(new Uint8Array(256).fill(0xfe)), /even/)
  refuse(rsa(odd, [3]), /exponent/)
  refuse(rsa(odd, [1, 0, 0]), /exponent/)
  refuse(rsa(odd, [0xff, 0xff]), /exponent/)
  refuse(rsa(odd, [1, ...new Array<number>(8).fill(1)]), /exponent/)
  assert.is(keys.importSpki(rsa(odd)).type, 'rsa-2048')
  refuse(changed(spki, [0, 1], (node) => { node.bytes = Uint8Array.of(0) }), /NULL holds something/)
  refuse(changed(spki, [0], (node) => { node.children!.pop() }), /too soon/)
})

test('an Ed25519 key that is weak, of another length or of another use is refused', () => {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
  const weak = [
    '00'.repeat(32), `01${'00'.repeat(31)}`, `01${'00'.repeat(30)}80`, `ec${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`, 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ]
  for (const point of weak) refuse(ed25519Spki(hex(point)), /small order/)
  const spki = spkiOf('ed25519')
  assert.is(keys.importSpki(spki).type, 'ed25519')
  refuse(changed(spki, [1], (node) => { node.bytes = node.bytes.slice(1) }), /whole bytes|32 bytes/)
  refuse(changed(spki, [1], (node) => { node.bytes = Uint8Array.from([...node.bytes, 0]) }), /32 bytes: 33/)
  const nothing: DerNode = { tag: 5, bytes: new Uint8Array() }
  refuse(changed(spki, [0], (node) => { node.children!.push(nothing) }), /more than belongs/)
  refuse(spkiOf('x25519'), /must be P-256, P-384, RSA or Ed25519: 1.3.101.110/)
  refuse(changed(spki, [0, 0], (node) => { node.bytes = Uint8Array.of(0x2b, 0x65, 0x71) }), /must be P-256/)
  refuse(Uint8Array.from([...spki, 0]), /more than belongs/)
  refuse(Uint8Array.from([0x30, 0x81, 0x2a, ...spki.slice(2)]), /longer than need be/)
})

test('a private key that is none, has a passphrase, or is of another type is refused', async () => {
  const encrypted = generateKeyPairSync('ed25519').privateKey.export({
    format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret',
  }).toString()
  const publicPem = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString()
  for (const pem of ['', 'no key', encrypted, publicPem]) {
    assert.throws(() => keys.importPem(pem), isInvalid)
    assert.throws(() => keys.importPem(pem), /not a PEM without passphrase/)
  }
  const others = [
    generateKeyPairSync('x25519'), generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    generateKeyPairSync('rsa', { modulusLength: 1024 }),
  ]
  for (const { privateKey } of others) {
    assert.throws(() => keys.importPem(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()), isInvalid)
  }
  for (const type of ['dsa', 'constructor']) {
    try {
      await keys.generate(type as never, random)
    } catch (error) {
      assert.ok(isInvalid(error))
      continue
    }
    assert.unreachable(type)
  }
})

for (const kind of ['real', 'cheap'] as const) {
  test(`a simulation with ${kind} keys has Ed25519 from its seed and nothing else`, async () => {
    const exported: string[] = []
    const { certificates } = await createKeys(kind, (pem) => exported.push(pem))
    assert.is(certificates.preferred, 'ed25519')
    const generate = (label: string) => certificates.generate('ed25519', new SeededRandom(label))
    const [key, same, other] = [await generate('a'), await generate('a'), await generate('b')]
    assert.equal(key.public.spki, same.public.spki)
    assert.equal(key.sign(message), same.sign(message))
    assert.not.equal(key.public.spki, other.public.spki)
    const publicKey = certificates.importSpki(key.public.spki)
    assert.ok(publicKey.verify(message, key.sign(message)))
    assert.not(publicKey.verify(flipped(message, 0), key.sign(message)))
    assert.not(publicKey.verify(message, other.sign(message)))
    assert.not(publicKey.verify(message, new Uint8Array(64)))
    const pem = key.exportPem()
    assert.equal(exported, [pem])
    assert.equal(certificates.importPem(pem).public.spki, key.public.spki)
    const elsewhere = await keys.generate('ec-p256', random)
    assert.throws(() => certificates.importPem(elsewhere.exportPem()), isInvalid)
    assert.throws(() => certificates.importSpki(elsewhere.public.spki), isInvalid)
    const refused = await certificates.generate('ec-p256', random).catch((error: unknown) => error)
    assert.ok(isInvalid(refused))
  })
}

test.run()
