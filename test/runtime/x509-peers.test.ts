/** Others that read and write X.509: the package @peculiar/x509, and TLS of both runtimes. */
import type { webcrypto } from 'node:crypto'
import { createServer, connect, type TLSSocket } from 'node:tls'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CertificateKeyType } from '../../runtime/platform/certificate-keys.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList } from '../../runtime/x509/crl.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { displayName, encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { authority, day, idOf, keys, leaf, leafExtensions, listOf, now, type Holder } from './x509-fixture.ts'

x509.cryptoProvider.set(crypto)

type Algorithm = Parameters<typeof crypto.subtle.generateKey>[0] & { name: string; hash?: string }
const algorithms: readonly (readonly [CertificateKeyType, Algorithm])[] = [
  ['ec-p256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as Algorithm],
  ['ec-p384', { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } as Algorithm],
  ['rsa-2048', {
    name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256',
  } as Algorithm],
  ['ed25519', { name: 'Ed25519' } as Algorithm],
]

const bytesOf = (buffer: ArrayBuffer): Uint8Array => new Uint8Array(buffer)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

for (const [type, algorithm] of algorithms) {
  const generate = () =>
    crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>

  test(`${type}: @peculiar/x509 reads what we make`, async () => {
    const root = await authority('root', undefined, { type, extensions: { ca: { pathLength: 2 } } })
    const own = await leaf('ood1', root, { type, extensions: { crlUrls: ['http://z1.example/crl'] } })
    const publicKey = new x509.PublicKey(root.key.public.spki as Uint8Array<ArrayBuffer>)
    const read = new x509.X509Certificate(own.certificate.raw as Uint8Array<ArrayBuffer>)
    assert.ok(await read.verify({ publicKey, date: new Date(now) }))
    assert.is(read.subject, 'O=zone z1, CN=ood1')
    assert.is(read.serialNumber, serialText(own.certificate.serial).replaceAll(':', ''))
    assert.is(read.notBefore.getTime(), own.certificate.notBefore)
    assert.is(read.notAfter.getTime(), own.certificate.notAfter)
    const names = read.getExtension(x509.SubjectAlternativeNameExtension)!
    assert.equal(names.names.toJSON().map(({ type, value }) => [type, value]), [
      ['dns', 'localhost'], ['ip', '127.0.0.1'], ['ip', '2001:db8::1'], ['url', 'spiffe://z1/ood/ood1'],
    ])
    assert.is(read.getExtension(x509.KeyUsagesExtension)!.usages, x509.KeyUsageFlags.digitalSignature)
    const { usages } = read.getExtension(x509.ExtendedKeyUsageExtension)!
    assert.equal([...usages], ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    assert.is(read.getExtension(x509.AuthorityKeyIdentifierExtension)!.keyId, hex(idOf(root.key)))
    const constraints = new x509.X509Certificate(root.certificate.raw as Uint8Array<ArrayBuffer>)
      .getExtension(x509.BasicConstraintsExtension)!
    assert.equal([constraints.ca, constraints.pathLength, constraints.critical], [true, 2, true])
    const subject = encodeName([{ type: 'CN', value: 'ood1' }])
    const { names: asked = [] } = leafExtensions
    const request = signRequest({ subject, names: asked }, own.key) as Uint8Array<ArrayBuffer>
    assert.ok(await new x509.Pkcs10CertificateRequest(request).verify())
    const list = listOf(root, { revoked: [{ serial: own.certificate.serial, at: now, reason: 'superseded' }] })
    const crl = new x509.X509Crl(list.raw as Uint8Array<ArrayBuffer>)
    assert.ok(await crl.verify({ publicKey }))
    assert.is(crl.findRevoked(read)?.reason, x509.X509CrlReason.superseded)
  })

  test(`${type}: we read what @peculiar/x509 makes`, async () => {
    const [rootKeys, leafKeys] = [await generate(), await generate()]
    const extensions = [new x509.SubjectAlternativeNameExtension([
      { type: 'dns', value: 'localhost' }, { type: 'ip', value: '::1' }, { type: 'url', value: 'spiffe://z1/node/n1' },
    ])]
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=n1', keys: leafKeys, signingAlgorithm: algorithm, extensions,
      attributes: [new x509.ChallengePasswordAttribute('secret')],
    })
    const request = parseRequest(bytesOf(csr.rawData))
    assert.is(request.verify(keys.certificates).type, type)
    assert.is(request.commonName, 'n1')
    assert.equal(request.names.map(({ value }) => value), ['localhost', '::1', 'spiffe://z1/node/n1'])
    const life = { notBefore: new Date(now - day), notAfter: new Date(now + day) }
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'C=DE, O=z1, CN=root', serialNumber: '01', keys: rootKeys, signingAlgorithm: algorithm, ...life,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
      ],
    })
    const own = await x509.X509CertificateGenerator.create({
      subject: 'CN=n1', issuer: root.subject, serialNumber: '7f01', publicKey: leafKeys.publicKey,
      signingKey: rootKeys.privateKey, signingAlgorithm: algorithm, ...life,
      extensions: [
        ...extensions, new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
        new x509.CRLDistributionPointsExtension(['http://z1.example/crl']),
      ],
    })
    const crl = await x509.X509CrlGenerator.create({
      issuer: root.subject, thisUpdate: new Date(now), nextUpdate: new Date(now + day), signingAlgorithm: algorithm,
      signingKey: rootKeys.privateKey, entries: [{ serialNumber: '7f01', reason: x509.X509CrlReason.keyCompromise }],
      extensions: [
        await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
        new x509.Extension('2.5.29.20', false, Uint8Array.of(2, 1, 5)),
      ],
    })
    const [trusted, shown] = [root, own].map(({ rawData }) => parseCertificate(bytesOf(rawData)))
    const question = {
      leaf: shown!, intermediates: [], roots: [trusted!], at: now, keys: keys.certificates, purpose: 'clientAuth',
    } as const
    assert.equal(verifyChain(question).map(({ subject }) => displayName(subject)), ['CN=n1', 'CN=root,O=z1,C=DE'])
    assert.equal(shown!.extensions.crlUrls, ['http://z1.example/crl'])
    const list = parseRevocationList(bytesOf(crl.rawData))
    assert.is(list.number, 5)
    assert.throws(() => verifyChain({ ...question, revocationLists: [list] }), /it was revoked: keyCompromise/)
  })
}

/** What each end knows of the other after a handshake, or why there was none. */
async function handshake(server: Holder, client: Holder, root: Holder, chain: readonly Holder[]) {
  const pem = (...all: readonly Holder[]): string =>
    all.map(({ certificate }) => encodePem('CERTIFICATE', certificate.raw)).join('')
  const listener = createServer({
    cert: pem(server, ...chain), key: server.key.exportPem(), ca: pem(root), requestCert: true,
    rejectUnauthorized: true,
  })
  const accepted = new Promise<TLSSocket>((resolve) => { listener.once('secureConnection', resolve) })
  await new Promise<void>((resolve) => { listener.listen(0, '127.0.0.1', resolve) })
  const socket = connect({
    port: (listener.address() as { port: number }).port, host: '127.0.0.1', servername: 'localhost', ca: pem(root),
    cert: pem(client, ...chain), key: client.key.exportPem(),
  })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    const peer = await accepted
    const seen = { server: socket.getPeerCertificate().raw, client: peer.getPeerCertificate().raw }
    peer.destroy()
    return { authorized: [socket.authorized, peer.authorized], seen }
  } finally {
    socket.destroy()
    await new Promise((resolve) => { listener.close(resolve) })
  }
}

for (const type of ['ec-p256', 'ed25519'] as const) {
  test(`${type}: a TLS server and a client of this runtime take each other's certificate`, async () => {
    const root = await authority('root', undefined, { type })
    const intermediate = await authority('intermediate', root, { type })
    const server = await leaf('ood1', intermediate, { type })
    const client = await leaf('node1', intermediate, { type })
    const { authorized, seen } = await handshake(server, client, root, [intermediate])
    assert.equal(authorized, [true, true])
    const [shownServer, shownClient] = [seen.server, seen.client].map((raw) => parseCertificate(Uint8Array.from(raw)))
    assert.equal(shownServer!.raw, server.certificate.raw)
    const question = { intermediates: [intermediate.certificate], roots: [root.certificate], at: now }
    const chain = verifyChain({ ...question, leaf: shownClient!, keys: keys.certificates, purpose: 'clientAuth' })
    assert.is(chain.length, 3)
  })
}

test.run()
