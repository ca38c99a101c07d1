/** What RFC 5280 and DER forbid is refused, each for its own reason. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList } from '../../runtime/x509/crl.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { newSerial } from '../../runtime/x509/serial.ts'
import { changed, nodeAt, treeOf, type DerNode } from './der-tree.ts'
import { authority, keys, leaf, leafExtensions, listOf, now, random } from './x509-fixture.ts'

const root = await authority('root', undefined, {
  extensions: { ca: { pathLength: 0 }, permittedDns: ['zone.example'] },
})
const own = await leaf('ood1', root, { extensions: { crlUrls: ['http://a.example/'] } })
const authorityDer = root.certificate.raw
const leafDer = own.certificate.raw
const requestDer = signRequest({
  subject: encodeName([{ type: 'CN', value: 'ood1' }]), names: leafExtensions.names!,
}, own.key)
const listDer = listOf(root, { revoked: [{ serial: newSerial(random), at: now, reason: 'superseded' }] }).raw

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const node = (tag: number, ...values: readonly (DerNode | number)[]): DerNode =>
  values.some((value) => typeof value !== 'number')
    ? { tag, bytes: new Uint8Array(), children: values as DerNode[] }
    : { tag, bytes: Uint8Array.from(values as number[]) }
const holds = (...bytes: readonly number[]) => (target: DerNode): void => {
  delete target.children
  target.bytes = Uint8Array.from(bytes)
}
const isText = (value: string, tag?: number) => (target: DerNode): void => {
  target.bytes = text(value)
  if (tag !== undefined) target.tag = tag
}
const without = (index: number) => (target: DerNode): void => { target.children!.splice(index, 1) }
const doubled = (index: number) => (target: DerNode): void => { target.children!.push(target.children![index]!) }
const adds = (...more: readonly DerNode[]) => (target: DerNode): void => { target.children!.push(...more) }
const becomes = (other: DerNode) => (target: DerNode): void => {
  delete target.children
  Object.assign(target, other)
}

type Case = readonly [what: string, path: readonly number[], change: (node: DerNode) => void, why: RegExp]

/** Paths: 0 is what is signed. */
const [serial, algorithm, life, subject, extensions] = [[0, 1], [0, 2], [0, 4], [0, 5], [0, 7, 0]] as const
/** basicConstraints, keyUsage, extendedKeyUsage, subjectKeyId, authorityKeyId, names, crlUrls, by their place. */
const valueOf = (index: number, ...path: readonly number[]) => [...extensions, index, -1, 0, ...path]
const unknownExtension = (...critical: readonly DerNode[]): DerNode =>
  node(0x30, node(6, 0x2a, 3, 4), ...critical, node(4, 5, 0))

const certificateCases: readonly Case[] = [
  ['no version', [0], without(0), /not of version 3/],
  ['version 1', [0, 0, 0], holds(0), /not of version 3/],
  ['a version as long as need not be', [0, 0, 0], holds(0, 2), /not of version 3/],
  ['a negative serial', serial, holds(0x80), /negative/],
  ['the serial zero', serial, holds(0), /serial must be positive/],
  ['a serial of no digits', serial, holds(), /no digits/],
  ['a serial with leading zeros', serial, holds(0, 1), /longer than need be/],
  ['a serial with leading ones', serial, holds(0xff, 0x80), /longer than need be/],
  ['a serial of 21 bytes', serial, holds(...new Array<number>(21).fill(1)), /at most 20 bytes/],
  ['two algorithms', [1, 0], holds(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3), /another algorithm than it says/],
  ['SHA-1', algorithm, becomes(node(0x30, node(6, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1))), /signed by ECDSA or RSA/],
  ['an algorithm with parameters that it has not', algorithm, adds(node(5)), /signed by ECDSA or RSA/],
  ['a signature that is no whole bytes', [2], (target) => { target.bytes[0] = 1 }, /no whole bytes/],
  ['a month 13', [...life, 0], isText('261301000000Z'), /no time/],
  ['a 30th of February', [...life, 0], isText('260230000000Z'), /no time/],
  ['an hour 24', [...life, 0], isText('260101240000Z'), /no time/],
  ['a second 60', [...life, 0], isText('260101000060Z'), /no time/],
  ['a time without seconds', [...life, 0], isText('2601010000Z'), /no time/],
  ['a time of a zone', [...life, 0], isText('260101000000+0100'), /no time/],
  ['parts of a second', [...life, 1], isText('20500101000000.5Z', 0x18), /no time/],
  ['GeneralizedTime before 2050', [...life, 1], isText('20491231235959Z', 0x18), /no time/],
  ['an end before its beginning', [...life, 1], isText('200101000000Z'), /ends before it begins/],
  ['three times', life, doubled(0), /more than belongs/],
  ['an empty part of its name', [...subject, 0], (target) => { target.children = [] }, /empty/],
  [
    'a part of its name out of order', [...subject, 1], adds(node(0x30, node(6, 0x55, 4, 3), node(12, 65))),
    /out of order/,
  ],
  ['a zero in its name', [...subject, 1, 0, 1], isText('ood1\0.other'), /characters that do not belong/],
  ['a new line in its name', [...subject, 1, 0, 1], isText('ood1\n'), /characters that do not belong/],
  ['a text that is not UTF-8', [...subject, 1, 0, 1], holds(0xc0, 0x80), /characters that do not belong/],
  ['an empty text', [...subject, 1, 0, 1], isText(''), /1 to 1024 characters/],
  ['PrintableString with an underscore', [...subject, 1, 0, 1], isText('a_b', 0x13), /do not belong/],
  ['T61String', [...subject, 1, 0, 1], isText('ood1', 0x14), /must be UTF8String/],
  ['BMPString', [...subject, 1, 0, 1], isText('\0o\0o', 0x1e), /must be UTF8String/],
  ['no extensions', [0], without(7), /ends too soon/],
  ['an empty list of extensions', extensions, (target) => { target.children = [] }, /empty/],
  ['an extension twice', extensions, doubled(5), /stands there twice/],
  ['an unknown extension twice', extensions, adds(unknownExtension(), unknownExtension()), /stands there twice/],
  ['a flag that is false', [...extensions, 0, 1], holds(0), /not TRUE/],
  ['a flag that is 1', [...extensions, 0, 1], holds(1), /not TRUE/],
  ['something after the extensions', [0], adds(node(5)), /more than belongs/],
  ['a unique identifier', [0], (target) => { target.children!.splice(7, 0, node(0x81, 0, 1)) }, /stands for 0xa3/],
  ['a path length without authority', valueOf(0), adds(node(2, 0)), /more than belongs/],
  ['no key usage', valueOf(1), holds(0), /empty or unknown/],
  ['key usage with zeros at its end', valueOf(1), holds(4, 0x80, 0), /of no such form|longer than need be/],
  ['key usage with bits that are not there', valueOf(1), holds(7, 0x81), /longer than need be/],
  ['a key usage of ten bits', valueOf(1), holds(6, 0, 0x40), /empty or unknown/],
  ['no purpose', valueOf(2), (target) => { target.children = [] }, /purposes is empty/],
  ['an object identifier that does not end', valueOf(2, 0), holds(0x2b, 0x86), /ends too soon/],
  ['an object identifier that is longer than need be', valueOf(2, 0), holds(0x2b, 0x80, 1), /longer than need be/],
  ['an object identifier beyond all numbers', valueOf(2, 0), holds(...new Array<number>(9).fill(0xff), 1), /too large/],
  ['no alternative name', valueOf(5), (target) => { target.children = [] }, /names is empty/],
  ['a DNS name with a zero', valueOf(5, 0), isText('localhost\0.example'), /not ASCII/],
  ['a DNS name that is an address', valueOf(5, 0), isText('127.0.0.1'), /no DNS name/],
  ['a DNS name beyond ASCII', valueOf(5, 0), isText('zoë.example'), /not ASCII/],
  ['an empty DNS name', valueOf(5, 0), isText(''), /no DNS name/],
  ['an IP address of 5 bytes', valueOf(5, 1), holds(1, 2, 3, 4, 5), /an IP address has 5 bytes/],
  ['an IPv4 address in 16 bytes', valueOf(5, 1), holds(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4), /no IP/],
  ['a URI without scheme', valueOf(5, 3), isText('//z1/ood/ood1'), /no absolute URI/],
  ['a directory name', valueOf(5, 0), becomes(node(0xa4, node(0x30, 0))), /no DNS name, IP address, URI/],
  ['another kind of name', valueOf(5, 0), becomes(node(0xa0, node(6, 0x2a, 3))), /no DNS name, IP address, URI/],
]

for (const [what, path, change, why] of certificateCases) {
  test(`a certificate with ${what}`, () => {
    assert.throws(() => parseCertificate(changed(leafDer, path, change)), why)
  })
}

const requestCases: readonly Case[] = [
  ['version 2', [0, 0], holds(1), /not of version 1/],
  ['two common names', [0, 1], doubled(0), /must have one CN/],
  ['no attributes', [0], without(3), /ends too soon/],
  ['extensions asked for twice', [0, 3], doubled(0), /asks for extensions twice/],
  ['an unknown critical extension', [0, 3, 0, 1, 0], adds(unknownExtension(node(1, 0xff))), /not known: 1.2.3.4/],
  ['an extension twice', [0, 3, 0, 1, 0], doubled(0), /stands there twice/],
  ['two values of an attribute', [0, 3, 0, 1], doubled(0), /more than belongs/],
]

for (const [what, path, change, why] of requestCases) {
  test(`a request with ${what}`, () => {
    assert.throws(() => parseRequest(changed(requestDer, path, change)), why)
  })
}

const listCases: readonly Case[] = [
  ['version 1', [0], without(0), /not of version 2/],
  ['two algorithms', [1, 0], holds(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3), /another algorithm than it says/],
  ['no end', [0], without(4), /tag 0x30 stands for 0x17/],
  ['an end before its beginning', [0, 4], isText('200101000000Z'), /ends before it begins/],
  ['a serial twice', [0, 5], doubled(0), /serial stands there twice/],
  ['no number', [0, 6, 0], without(1), /has no number/],
  ['no key of its issuer', [0, 6, 0], without(0), /does not say whose it is/],
  ['a number of its own kind', [0, 6, 0, 1, -1, 0], holds(0xff), /negative/],
  ['an unknown critical extension', [0, 6, 0], adds(unknownExtension(node(1, 0xff))), /not known: 1.2.3.4/],
  ['an unknown critical extension of an entry', [0, 5, 0, 2], adds(unknownExtension(node(1, 0xff))), /1.2.3.4/],
  ['a reason that there is not', [0, 5, 0, 2, 0, -1, 0], holds(7), /no such reason: 7/],
  ['extensions of an entry that are none', [0, 5, 0, 2], (target) => { target.children = [] }, /empty/],
]

for (const [what, path, change, why] of listCases) {
  test(`a revocation list with ${what}`, () => {
    assert.throws(() => parseRevocationList(changed(listDer, path, change)), why)
  })
}

test('what is unknown and not critical says nothing, and is let stand', () => {
  const parsed = parseCertificate(changed(leafDer, extensions, adds(unknownExtension())))
  assert.equal(parsed.unknownCritical, [])
  assert.equal(parsed.extensions, own.certificate.extensions)
  const attribute = node(0x30, node(6, 0x2a, 3), node(0x31, node(0x30, 1, 2)))
  const asked = parseRequest(changed(requestDer, [0, 3], adds(attribute)))
  assert.equal(asked.names, leafExtensions.names)
  const revoked = parseRevocationList(changed(listDer, [0, 6, 0], adds(unknownExtension())))
  assert.is(revoked.revoked[0]!.reason, 'superseded')
})

test('critical extensions that are not understood are told, and so are constraints of a kind that is not', () => {
  const critical = changed(leafDer, extensions, adds(unknownExtension(node(1, 0xff))))
  assert.equal(parseCertificate(critical).unknownCritical, ['1.2.3.4'])
  assert.equal(parseCertificate(authorityDer).extensions.permittedDns, ['zone.example'])
  const constraints = [...extensions, 3, -1, 0] as const
  assert.is(nodeAt(treeOf(authorityDer), ...constraints, 0).tag, 0xa0)
  const others: readonly ((target: DerNode) => void)[] = [
    (target) => { target.children![0]!.tag = 0xa1 },
    (target) => { target.children![0]!.children![0]!.children![0]!.tag = 0x87 },
    (target) => { target.children![0]!.children![0]!.children!.push(node(0x80, 1)) },
  ]
  for (const change of others) {
    assert.equal(parseCertificate(changed(authorityDer, constraints, change)).unknownCritical, ['2.5.29.30'])
  }
})

test('a request that another key signed, or that changed since, is not verified', () => {
  assert.is(parseRequest(requestDer).verify(keys.certificates).type, 'ec-p256')
  const others = [changed(requestDer, [0, 1, 0, 0, 1], isText('ood2')), changed(requestDer, [0, 2, 1], (target) => {
    target.bytes = nodeAt(treeOf(root.key.public.spki), 1).bytes
  })]
  for (const other of others) {
    assert.throws(() => parseRequest(other).verify(keys.certificates), /not signed by the key that it asks for/)
  }
  assert.throws(() => parseRequest(changed(requestDer, [0, 2, 1], (target) => { target.bytes[40]! ^= 1 }))
    .verify(keys.certificates), /The public key is not one of ec-p256/)
})

test.run()
