/** Certificates, requests and revocation lists at their limits. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { alternativeName } from '../../runtime/x509/alternative-names.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList } from '../../runtime/x509/crl.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { encodeName, parseName } from '../../runtime/x509/name.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { changed, type DerNode } from '../runtime/der-tree.ts'
import { authority, leaf, listOf, now } from '../runtime/x509-fixture.ts'

const root = await authority('root')
const own = await leaf('ood1', root)
const subject = encodeName([{ type: 'CN', value: 'ood1' }])
const isRefused = (task: () => unknown): void => {
  assert.throws(task, (error: unknown) => error instanceof InvalidArgument)
}

test('a request of as many bytes as the limit is read, one more is refused before it is', () => {
  const request = signRequest({ subject }, own.key)
  const padded = (bytes: number): Uint8Array => changed(request, [0, 3], (node) => {
    node.children = [{ tag: 0x30, bytes: new Uint8Array(), children: [
      { tag: 6, bytes: Uint8Array.of(0x2a, 3) }, { tag: 0x31, bytes: new Uint8Array(bytes) },
    ] }]
  })
  const most = limits.certificateBytes
  const spare = most - padded(60_000).length
  assert.is(padded(60_000 + spare).length, most)
  assert.is(parseRequest(padded(60_000 + spare)).commonName, 'ood1')
  assert.throws(() => parseRequest(padded(60_000 + spare + 1)), /longer than 65536 bytes/)
})

test('a name has as many parts as the limit, a certificate as many extensions, and no more', () => {
  const parts = (count: number) => encodeName(Array.from({ length: count }, () => ({ type: 'OU', value: 'x' })))
  assert.is(parseName(parts(limits.certificateNameParts)).length, limits.certificateNameParts)
  isRefused(() => parseName(parts(limits.certificateNameParts + 1)))
  const unknown = (number: number): DerNode => ({ tag: 0x30, bytes: new Uint8Array(), children: [
    { tag: 6, bytes: Uint8Array.of(0x2a, 3, number) }, { tag: 4, bytes: new Uint8Array() },
  ] })
  const withExtensions = (count: number) => changed(own.certificate.raw, [0, 7, 0], ({ children }) => {
    while (children!.length < count) children!.push(unknown(children!.length))
  })
  assert.equal(parseCertificate(withExtensions(limits.certificateExtensions)).unknownCritical, [])
  isRefused(() => parseCertificate(withExtensions(limits.certificateExtensions + 1)))
})

test('there are as many alternative names as the limit, of as many characters, and no more', () => {
  const named = (count: number) => signRequest({
    subject, names: Array.from({ length: count }, (_, index) => ({ type: 'dns', value: `a${index}.zone.example` })),
  }, own.key)
  const full = named(limits.certificateNames)
  assert.is(parseRequest(full).names.length, limits.certificateNames)
  isRefused(() => named(limits.certificateNames + 1))
  const one = { tag: 0x82, bytes: new TextEncoder().encode('localhost') }
  isRefused(() => parseRequest(changed(full, [0, 3, 0, 1, 0, 0, 1, 0], ({ children }) => { children!.push(one) })))
  const uri = (length: number) => alternativeName({ type: 'uri', value: 'urn:'.padEnd(length, 'x') })
  assert.is(uri(limits.certificateNameCharacters).value.length, limits.certificateNameCharacters)
  isRefused(() => uri(limits.certificateNameCharacters + 1))
  const called = (length: number) => changed(subject, [0, 0, 1], (node) => {
    node.bytes = new Uint8Array(length).fill(65)
  })
  assert.is(parseName(called(limits.certificateNameCharacters))[0]![0]!.value.length, limits.certificateNameCharacters)
  isRefused(() => parseName(called(limits.certificateNameCharacters + 1)))
})

test('a list has as many serials as the limit, and is then still one message of a link', () => {
  const revoked = Array.from({ length: limits.revokedSerials }, (_, index) => {
    const serial = new Uint8Array(20).fill(0x7f)
    new DataView(serial.buffer).setUint32(8, index)
    return { serial, at: now, reason: 'keyCompromise' as const }
  })
  const list = listOf(root, { revoked })
  assert.is(list.revoked.length, limits.revokedSerials)
  assert.ok(list.raw.length <= limits.revocationListBytes)
  assert.equal(list.find(revoked.at(-1)!.serial)?.reason, 'keyCompromise')
  isRefused(() => listOf(root, { revoked: [...revoked, { serial: Uint8Array.of(1), at: now }] }))
  const pem = encodePem('X509 CRL', new Uint8Array(limits.revocationListBytes))
  assert.ok(JSON.stringify(pem).length < limits.message)
})

test('a list of as many bytes as the limit is looked at, one more is refused before it is', () => {
  const most = limits.revocationListBytes
  assert.throws(() => parseRevocationList(new Uint8Array(most)), /tag 0x00/)
  assert.throws(() => parseRevocationList(new Uint8Array(most + 1)), /longer than 3000000 bytes/)
  const text = '-'.repeat(2 * most)
  assert.throws(() => decodePem(text, 'X509 CRL'), /none/)
  assert.throws(() => decodePem(`${text}-`, 'X509 CRL'), /too long/)
})

test.run()
