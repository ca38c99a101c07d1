/** Names, times, addresses, serials and what may stand in a certificate. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument } from '../../runtime/errors.ts'
import { alternativeName, type AlternativeName } from '../../runtime/x509/alternative-names.ts'
import { parseCertificate, signCertificate, type CertificateFields } from '../../runtime/x509/certificate.ts'
import { parseRevocationList, revocationReasons, signRevocationList } from '../../runtime/x509/crl.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { bytesOf, oid, time as timeOf } from '../../runtime/x509/der-write.ts'
import { DerReader } from '../../runtime/x509/der.ts'
import { keyUsages, type Extensions } from '../../runtime/x509/extensions.ts'
import { formatIp, parseIp } from '../../runtime/x509/ip.ts'
import { commonNameOf, displayName, encodeName, parseName } from '../../runtime/x509/name.ts'
import { encodePem, decodePem, decodePems } from '../../runtime/x509/pem.ts'
import { newSerial, parseSerial, serialText } from '../../runtime/x509/serial.ts'
import { authority, idOf, keys, leaf, leafExtensions, now, random, second } from './x509-fixture.ts'

const isInvalid = (error: unknown): boolean => error instanceof InvalidArgument
const root = await authority('root')
const fields: CertificateFields = {
  serial: Uint8Array.of(1), issuer: root.certificate.subject, subject: encodeName([{ type: 'CN', value: 'ood1' }]),
  notBefore: now, notAfter: now + second, spki: root.key.public.spki, extensions: {},
}
const signed = (changes: Partial<CertificateFields>) =>
  parseCertificate(signCertificate({ ...fields, ...changes }, root.key))

test('a certificate says again what it was told to say', async () => {
  const all: readonly Extensions[] = [
    {}, leafExtensions, { ...leafExtensions, crlUrls: ['http://a.example/crl', 'https://b.example/'] },
    { ca: {}, keyUsage: ['keyCertSign'] }, { ca: { pathLength: 0 }, keyUsage: ['keyCertSign', 'cRLSign'] },
    { ca: { pathLength: 255 }, keyUsage: [...keyUsages], permittedDns: ['zone.example', 'other.example'] },
    { extendedKeyUsage: ['any', 'serverAuth', 'clientAuth', 'codeSigning', 'emailProtection', '2.999.3'] },
    { names: [{ type: 'email', value: 'a.b+c@zone.example' }, { type: 'dns', value: '*.zone.example' }] },
    { subjectKeyId: idOf(root.key), authorityKeyId: Uint8Array.of(1, 2, 3) },
  ]
  for (const extensions of all) {
    const read = signed({ extensions })
    assert.equal(read.extensions, extensions)
    assert.ok(read.verify(root.key.public))
    assert.equal(read.subject, fields.subject)
    assert.equal(read.issuer, fields.issuer)
    assert.equal(read.spki, fields.spki)
    assert.equal([read.notBefore, read.notAfter], [now, now + second])
  }
  const other = await authority('other')
  assert.not(signed({}).verify(other.key.public))
  assert.not(signed({}).verify((await keys.certificates.generate('ed25519', random)).public))
})

test('each single key usage is the one that was asked for', () => {
  for (const usage of keyUsages) {
    if (usage === 'keyCertSign') continue
    assert.equal(signed({ extensions: { keyUsage: [usage] } }).extensions, { keyUsage: [usage] })
  }
})

test('nothing is signed that RFC 5280 forbids', () => {
  const forbidden: readonly (readonly [Partial<CertificateFields>, RegExp])[] = [
    [{ serial: new Uint8Array() }, /serial/], [{ serial: Uint8Array.of(0) }, /serial/],
    [{ serial: new Uint8Array(21).fill(1) }, /serial/], [{ serial: new Uint8Array(20).fill(255) }, /serial/],
    [{ notAfter: now - second }, /end before it begins/], [{ notAfter: Number.NaN }, /end before it begins/],
    [{ notAfter: Date.UTC(10_000, 0) }, /no time/], [{ notBefore: Date.UTC(1949, 11, 31) }, /no time/],
    [{ issuer: encodeName([]) }, /issuer must have a name/],
    [{ subject: encodeName([]) }, /must have alternative names/],
    [{ subject: encodeName([]), extensions: { ca: {}, keyUsage: ['keyCertSign'] } }, /authority must have a name/],
    [{ extensions: { keyUsage: ['keyCertSign'] } }, /keyCertSign is for authorities/],
    [{ extensions: { ca: {} } }, /must have the key usage keyCertSign/],
    [{ extensions: { ca: { pathLength: -1 }, keyUsage: ['keyCertSign'] } }, /path length/],
    [{ extensions: { ca: { pathLength: 0.5 }, keyUsage: ['keyCertSign'] } }, /path length/],
    [{ extensions: { keyUsage: [] } }, /must not be empty/],
    [{ extensions: { extendedKeyUsage: [] } }, /1 to 32/],
    [{ extensions: { extendedKeyUsage: ['constructor'] } }, /no object identifier/],
    [{ extensions: { names: [] } }, /alternative names/],
    [{ extensions: { permittedDns: ['a.example'] } }, /for authorities/],
    [{ extensions: { ca: {}, keyUsage: ['keyCertSign'], permittedDns: ['*.a.example'] } }, /no DNS name/],
  ]
  for (const [changes, why] of forbidden) {
    assert.throws(() => signCertificate({ ...fields, ...changes }, root.key), why)
    assert.throws(() => signCertificate({ ...fields, ...changes }, root.key), isInvalid)
  }
})

const spellings: readonly (readonly [AlternativeName['type'], given: string, expected: string])[] = [
  ['dns', 'OOD1.Zone.Example', 'ood1.zone.example'], ['dns', 'xn--zo-nja.example', 'xn--zo-nja.example'],
  ['dns', '*.zone.example', '*.zone.example'], ['dns', 'localhost', 'localhost'],
  ['dns', `${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
  ['ip', '2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], ['ip', '10.0.0.1', '10.0.0.1'],
  ['uri', 'spiffe://z1/ood/ood1', 'spiffe://z1/ood/ood1'], ['uri', 'urn:uuid:1', 'urn:uuid:1'],
  ['uri', 'https://a/%C3%AB', 'https://a/%C3%AB'], ['email', 'a@zone.example', 'a@zone.example'],
]

const noNames: Readonly<Record<AlternativeName['type'], readonly string[]>> = {
  dns: [
    'zoë.example', 'a_b.example', 'a..b', 'a.', '.a', '-a.b', 'a-.b', '*', '*.example', 'a*.zone.example',
    'a.*.example', '1.2.3.4', 'a.b.1', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}b`, '', 'a b', 'a\0', 'a\n',
  ],
  ip: ['::ffff:10.0.0.1', '10.0.0.01', '10.0.0.256', '10.0.0', '::1%lo', '10.0.0.0/8', 'localhost', ''],
  uri: ['https://a/%C3%A', '/path', 'https://a/ë', 'https://a b', 'x', 'x:', '', 'http://a\n', '1x:y'],
  email: ['a', 'a@b@c', '@zone.example', 'a@*.zone.example', 'ë@zone.example', 'a b@zone.example', ''],
}

test('an alternative name has one spelling, and what is none is refused', () => {
  for (const [type, value, expected] of spellings) {
    assert.equal(alternativeName({ type, value }), { type, value: expected })
  }
  for (const type of ['dns', 'ip', 'uri', 'email'] as const) {
    for (const value of noNames[type]) assert.throws(() => alternativeName({ type, value }), isInvalid, value)
  }
})

test('an IP address is read and written as RFC 5952 says', () => {
  const pairs = [
    ['::', '::'], ['::1', '::1'], ['1::', '1::'], ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'], ['0:0:1::', '0:0:1::'], ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['ABCD:EF01:2345:6789:ABCD:EF01:2345:6789', 'abcd:ef01:2345:6789:abcd:ef01:2345:6789'], ['0.0.0.0', '0.0.0.0'],
  ] as const
  for (const [given, expected] of pairs) {
    const bytes = parseIp(given)
    assert.is(bytes && formatIp(bytes), expected, given)
    assert.equal(parseIp(expected), bytes)
  }
  const none = [
    '', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', '12345::', 'g::',
    '1:2:3:4:5:6:7:', '::1.2.3', '1.2.3.4::', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', '0x1.2.3.4', '1.2.3.4.5',
    ' 1.2.3.4', '[::1]',
  ]
  for (const text of none) assert.is(parseIp(text), undefined, text)
})

test('times are those of the calendar, in the one form that their year has', () => {
  const time = (at: number): Uint8Array => bytesOf(timeOf(at))
  const read = (der: Uint8Array): number => new DerReader('time', der).time()
  const hour = 3_600_000
  for (let at = Date.UTC(1950, 0); at < Date.UTC(2110, 0); at += 97 * 24 * hour + 5_021_000) {
    const der = time(at)
    const iso = new Date(at).toISOString().replace(/[-T:]|\.000/g, '')
    assert.is(new TextDecoder().decode(der.subarray(2)), at < Date.UTC(2050, 0) ? iso.slice(2) : iso)
    assert.is(read(der), at)
  }
  const edges = [
    '2000-02-29T00:00:00', '2049-12-31T23:59:59', '2100-02-28T00:00:00', '2100-03-01T00:00:00', '9999-12-31T23:59:59',
  ]
  for (const at of edges) {
    const epoch = Date.parse(`${at}Z`)
    assert.is(read(time(epoch + 999)), epoch, at)
  }
  assert.is(time(Date.UTC(2049, 11, 31))[0], 0x17)
  assert.is(time(Date.UTC(2050, 0, 1))[0], 0x18)
})

test('a name is shown as RFC 4514 says, and is refused when it says nothing or too much', () => {
  const name = encodeName([{ type: 'C', value: 'DE' }, { type: 'O', value: '#a, b+c' }, { type: 'CN', value: ' x ' }])
  assert.is(displayName(name), 'CN=\\ x\\ ,O=\\#a\\, b\\+c,C=DE')
  assert.is(commonNameOf(parseName(name)), ' x ')
  assert.is(displayName(encodeName([])), '')
  assert.is(commonNameOf(parseName(encodeName([]))), undefined)
  const refused = [
    ['CN', ''], ['CN', 'x'.repeat(65)], ['C', 'DEU'], ['C', 'd'], ['SERIALNUMBER', 'a_b'], ['DC', 'zoë'],
    ['CN', 'a\0b'], ['CN', 'a\nb'], ['CN', '\ud800'], ['X', 'y'], ['constructor', 'y'],
  ] as const
  for (const [type, value] of refused) assert.throws(() => encodeName([{ type, value }]), isInvalid, `${type}=${value}`)
  assert.is(displayName(encodeName([{ type: 'CN', value: '𝟙'.repeat(64) }])), `CN=${'𝟙'.repeat(64)}`)
})

test('a serial has 159 random bits, and one text', () => {
  const all = new Set<string>()
  let lengths = 0
  for (let count = 0; count < 2_000; count++) {
    const serial = newSerial(random)
    assert.ok(serial.length <= 20 && serial[0] !== 0 && (serial.length < 20 || serial[0]! < 0x80))
    lengths += serial.length
    all.add(serialText(serial))
    assert.equal(parseSerial(serialText(serial)), serial)
  }
  assert.is(all.size, 2_000)
  assert.ok(lengths > 2_000 * 19.9)
  assert.equal(newSerial({ bytes: (length) => new Uint8Array(length), fork: () => random }), Uint8Array.of(1))
  assert.equal(newSerial({ bytes: (length) => new Uint8Array(length).fill(255), fork: () => random })[0], 0x7f)
  assert.equal(parseSerial('0A-1b-00'), Uint8Array.of(10, 27, 0))
  assert.equal(parseSerial('000a1b'), Uint8Array.of(10, 27))
  for (const text of ['', '0', '00', 'xy', '1:2', '0a::1b', `80${'00'.repeat(19)}`, 'aa'.repeat(21), ' 0a']) {
    assert.throws(() => parseSerial(text), isInvalid, text)
  }
})

test('a revocation list says again what it was told to say', () => {
  const reasons = revocationReasons.filter((reason) => reason !== undefined)
  const revoked = reasons.map((reason) => ({ serial: newSerial(random), at: now, reason }))
  const told = {
    issuer: root.certificate.subject, number: 70_000, thisUpdate: now, nextUpdate: now + second,
    authorityKeyId: idOf(root.key), revoked: [...revoked, { serial: Uint8Array.of(9), at: now }],
  }
  const list = parseRevocationList(signRevocationList(told, root.key))
  assert.ok(list.verify(root.key.public))
  assert.ok(list.verify(root.key.public))
  assert.is(list.number, 70_000)
  assert.equal(list.find(Uint8Array.of(9)), { serial: Uint8Array.of(9), at: now })
  for (const { serial, reason } of revoked) {
    // RFC 5280 §5.3.1: unspecified is said by saying nothing
    assert.is(list.find(serial)?.reason, reason === 'unspecified' ? undefined : reason)
  }
  assert.is(list.find(Uint8Array.of(8)), undefined)
  assert.is(parseRevocationList(signRevocationList({ ...told, revoked: [] }, root.key)).revoked.length, 0)
  assert.throws(() => signRevocationList({ ...told, nextUpdate: now }, root.key), isInvalid)
  const zero = [{ serial: Uint8Array.of(0), at: now }]
  assert.throws(() => signRevocationList({ ...told, revoked: zero }, root.key), isInvalid)
})

test('a request says what it asks for, with and without names', async () => {
  const { key } = await leaf('ood1', root)
  const subject = encodeName([{ type: 'O', value: 'z1' }])
  const plain = parseRequest(signRequest({ subject }, key))
  assert.equal([plain.commonName, plain.names, plain.asksForAuthority], [undefined, [], false])
  const named = parseRequest(signRequest({ subject: encodeName([]), names: leafExtensions.names! }, key))
  assert.equal(named.names, leafExtensions.names)
  assert.equal(named.verify(keys.certificates).spki, key.public.spki)
})

test('PEM has lines of 64 characters, and blocks are found among others', () => {
  const der = random.bytes(100)
  const pem = encodePem('CERTIFICATE', der)
  assert.is(pem.split('\n')[1]?.length, 64)
  assert.equal(decodePem(pem, 'CERTIFICATE'), der)
  const bundle = pem + encodePem('X509 CRL', der) + encodePem('CERTIFICATE', der.subarray(1))
  assert.equal(decodePems(bundle, 'CERTIFICATE', 2), [der, der.slice(1)])
  assert.throws(() => decodePems(bundle, 'CERTIFICATE', 1), /more than 1/)
  assert.equal(decodePems('', 'CERTIFICATE', 1), [])
})

test('an object identifier is read as it was written', () => {
  for (const dotted of ['0.0', '0.39', '1.39.1', '2.999', '2.5.29.37.0', '1.3.6.1.4.1.311.60', '2.5.99999999999999']) {
    assert.is(new DerReader('it', oid(dotted)).oid(), dotted)
  }
  for (const dotted of ['', '1', '3.1', '1.40', '1.2.', '1.02', '1.2.-3', '1.2.x', `1.${'2.'.repeat(70)}3`]) {
    assert.throws(() => oid(dotted), isInvalid, dotted)
  }
})

test.run()
