/** What OpenSSL and GnuTLS say of our certificates, requests and revocation lists. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CertificateKeyType } from '../../runtime/platform/certificate-keys.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { revocationReasons } from '../../runtime/x509/crl.ts'
import { displayName, encodeName } from '../../runtime/x509/name.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { newSerial, serialText } from '../../runtime/x509/serial.ts'
import {
  authority, day, keys, leaf, leafExtensions, listOf, now, random, second, withFolder, type Holder,
} from './x509-fixture.ts'

const types: readonly CertificateKeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519']
const pemOf = ({ certificate }: Holder): string => encodePem('CERTIFICATE', certificate.raw)

for (const type of types) {
  test(`${type}: OpenSSL and GnuTLS trust a chain of root, intermediate and leaf, and not once it is revoked`,
    withFolder(async ({ file, run }) => {
      const root = await authority('root', undefined, { type, extensions: { ca: { pathLength: 1 } } })
      const intermediate = await authority('intermediate', root, { type })
      const ours = await leaf('ood1', intermediate, { type, extensions: { crlUrls: ['http://z1.example/crl'] } })
      const lists = (revoked: boolean): string => [
        listOf(root),
        listOf(intermediate, {
          number: revoked ? 257 : 1,
          revoked: revoked ? [{ serial: ours.certificate.serial, at: now, reason: 'keyCompromise' }] : [],
        }),
      ].map(({ raw }) => encodePem('X509 CRL', raw)).join('')
      const [rootFile, middleFile] = [file('root.pem', pemOf(root)), file('middle.pem', pemOf(intermediate))]
      const leafFile = file('leaf.pem', pemOf(ours))
      const strict = ['verify', '-x509_strict', '-check_ss_sig', '-policy_check', '-crl_check_all', '-CAfile', rootFile,
        '-untrusted', middleFile]
      for (const purpose of ['sslserver', 'sslclient']) {
        const [good, bad] = [file('good.pem', lists(false)), file('bad.pem', lists(true))]
        const verify = [...strict, '-purpose', purpose]
        assert.match(run('openssl', [...verify, '-CRLfile', good, leafFile]), /leaf\.pem: OK/)
        assert.match(run('openssl', [...verify, '-CRLfile', bad, leafFile], { code: 2 }), /certificate revoked/)
        const chain = file('chain.pem', pemOf(ours) + pemOf(intermediate))
        const certtool = ['--verify', '--verify-profile=medium', '--load-ca-certificate', rootFile, '--infile', chain]
        assert.match(run('certtool', [...certtool, '--load-crl', good]), /Chain verification output: Verified/)
        assert.match(run('certtool', [...certtool, '--load-crl', bad], { code: 1 }), /revoked/)
      }
      assert.match(run('openssl', [...strict, '-verify_hostname', 'localhost', '-CRLfile', 'good.pem', leafFile]), /OK/)
      assert.match(run('openssl', [...strict, '-verify_ip', '2001:db8::1', '-CRLfile', 'good.pem', leafFile]), /OK/)
    }))

  test(`${type}: OpenSSL and GnuTLS read a request of ours, and we read theirs`, withFolder(async ({ file, run }) => {
    const key = await keys.certificates.generate(type, random)
    const subject = encodeName([{ type: 'CN', value: 'ood1' }])
    const { names = [] } = leafExtensions
    const csr = file('ours.csr', encodePem('CERTIFICATE REQUEST', signRequest({ subject, names }, key)))
    const text = run('openssl', ['req', '-in', csr, '-verify', '-noout', '-text'])
    assert.match(text, /verify OK/)
    assert.match(text, /DNS:localhost, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe:.*ood1\n/)
    assert.match(run('certtool', ['--crq-info', '--infile', csr]), /Self signature: verified/)
    const keyFile = file('key.pem', key.exportPem())
    const theirs = decodePem(run('openssl', [
      'req', '-new', '-key', keyFile, '-subj', '/O=zone z1/CN=ood1', '-text',
      '-addext', 'subjectAltName=DNS:Ood1.Zone.example,IP:::1', '-addext', 'extendedKeyUsage=clientAuth',
      '-addext', 'keyUsage=critical,digitalSignature',
    ]), 'CERTIFICATE REQUEST')
    const request = parseRequest(theirs)
    assert.equal(request.verify(keys.certificates).spki, key.public.spki)
    assert.is(request.commonName, 'ood1')
    assert.equal(request.names, [{ type: 'dns', value: 'ood1.zone.example' }, { type: 'ip', value: '::1' }])
    assert.equal(request.keyUsage, ['digitalSignature'])
    assert.equal(request.extendedKeyUsage, ['clientAuth'])
    assert.not(request.asksForAuthority)
  }))
}

test('the request of an authority is known for one, by either way to ask', withFolder(async ({ file, run }) => {
  const keyFile = file('key.pem', (await keys.certificates.generate('ec-p256', random)).exportPem())
  for (const asked of ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign', 'keyUsage=cRLSign']) {
    const pem = run('openssl', ['req', '-new', '-key', keyFile, '-subj', '/CN=x', '-addext', asked])
    assert.ok(parseRequest(decodePem(pem, 'CERTIFICATE REQUEST')).asksForAuthority, asked)
  }
}))

test('names look the same to OpenSSL as to us, whatever is in them', withFolder(async ({ file, run }) => {
  const subjects = [
    [{ type: 'C', value: 'DE' }, { type: 'ST', value: 'Köln' }, { type: 'O', value: 'a,b+c"d\\e<f>g;h' }],
    [{ type: 'DC', value: 'example' }, { type: 'UID', value: '#1' }, { type: 'CN', value: ' zwölf ' }],
    [{ type: 'STREET', value: 'Weg 1' }, { type: 'L', value: '東京' }, { type: 'OU', value: 'a=b' }],
  ]
  for (const subject of subjects) {
    const root = await authority('root', undefined, { subject: encodeName(subject) })
    const shown = run('openssl', [
      'x509', '-in', file('root.pem', pemOf(root)), '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8',
    ])
    // RFC 4514 writes the words of types in capitals
    assert.is(shown.replace('street=', 'STREET='), `subject=${displayName(root.certificate.subject)}\n`)
  }
}))

test('a certificate says to OpenSSL and GnuTLS what it was told to say', withFolder(async ({ file, run }) => {
  const root = await authority('root', undefined, {
    notAfter: Date.UTC(2050, 0, 1), extensions: { ca: {}, permittedDns: ['zone.example'] },
  })
  const text = run('openssl', ['x509', '-in', file('root.pem', pemOf(root)), '-noout', '-text'])
  assert.match(text, /X509v3 Basic Constraints: critical\s+CA:TRUE\n/)
  assert.match(text, /X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
  assert.match(text, /X509v3 Name Constraints: critical\s+Permitted:\s+DNS:zone.example\n/)
  assert.match(text, /Not After : Jan {2}1 00:00:00 2050 GMT/)
  const own = await leaf('ood1', root, {
    notAfter: Date.UTC(2049, 11, 31, 23, 59, 59), subject: encodeName([]),
    extensions: {
      keyUsage: ['digitalSignature', 'keyAgreement', 'decipherOnly'], extendedKeyUsage: ['codeSigning', '1.2.3.4'],
      crlUrls: ['http://a.example/crl', 'http://b.example/crl'],
    },
  })
  const info = run('certtool', ['-i', '--infile', file('leaf.pem', pemOf(own))])
  assert.match(info, /Subject Alternative Name \(critical\):\s+DNSname: localhost\s+IPAddress: 127.0.0.1/)
  assert.match(info, /Key Usage \(critical\):\s+Digital signature.\s+Key agreement.\s+Key decipher only./)
  assert.match(info, /Key Purpose \(not critical\):\s+Code signing.\s+1.2.3.4\n/)
  assert.match(info, /URI: http:\/\/a.example\/crl\s+URI: http:\/\/b.example\/crl/)
  assert.match(info, /Not After: Fri Dec 31 23:59:59 UTC 2049/)
  const serial = run('openssl', ['x509', '-in', 'leaf.pem', '-noout', '-serial'])
  assert.is(serial.trim().toLowerCase(), `serial=${serialText(own.certificate.serial).replaceAll(':', '')}`)
}))

test('a long revocation list says to OpenSSL what was revoked, when and why', withFolder(async ({ file, run }) => {
  const root = await authority('root')
  const reasons = revocationReasons.filter((reason) => reason !== undefined)
  const revoked = Array.from({ length: 2_000 }, (_, index) => ({
    serial: newSerial(random), at: now - index * second, reason: reasons[index % reasons.length]!,
  }))
  const list = listOf(root, { revoked, number: 128, nextUpdate: now + day })
  const text = run('openssl', [
    'crl', '-in', file('crl.pem', encodePem('X509 CRL', list.raw)), '-CAfile', file('root.pem', pemOf(root)), '-text',
  ])
  assert.match(text, /verify OK/)
  assert.match(text, /X509v3 CRL Number:\s+128\n/)
  const entry = /Serial Number: ([0-9A-F]+)\n\s+Revocation Date: (.+)\n(?:.*\n\s+X509v3 CRL Reason.*\n\s+(.+)\n)?/g
  const word = (reason = 'unspecified'): string => reason.replaceAll(' ', '').toLowerCase()
  assert.equal(
    [...text.matchAll(entry)].map(([, serial, at, reason]) => [serial, Date.parse(at!), word(reason)]),
    revoked.map(({ serial, at, reason }) => [
      serialText(serial).replaceAll(':', '').toUpperCase(), at, word(reason),
    ]),
  )
}))

test.run()
