/**
 * A signing request of P-256, PEM, to a certificate, PEM: read, checked and signed, without storing anything. In turn:
 * ours, the two signatures that it cannot do without (with keys that are ready), and @peculiar/x509.
 */
import { createPrivateKey, createPublicKey, sign, verify, type webcrypto } from 'node:crypto'
import process from 'node:process'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { createCrypto } from '../runtime/platform/crypto.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import { keyIdOf, signCertificate } from '../runtime/x509/certificate.ts'
import { parseRequest, signRequest } from '../runtime/x509/csr.ts'
import { encodeName } from '../runtime/x509/name.ts'
import { decodePem, encodePem } from '../runtime/x509/pem.ts'
import { newSerial, serialText } from '../runtime/x509/serial.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const REQUESTS = 200
/** Of the bare limit, on Deno, where the signatures are what it takes; Node also needs half of that to import a key. */
const OF_BARE_ON_DENO = 0.6
const DAY = 86_400_000
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

const { hash, certificates: keys } = await createCrypto()

/** Runs for a while; how many of them a second of processor time is, so that whoever else runs here does not count. */
async function perSecond(ms: number, task: (index: number) => void | Promise<void>): Promise<number> {
  const [started, used] = [performance.now(), process.cpuUsage()]
  let count = 0
  while (performance.now() - started < ms) {
    for (const end = count + 10; count < end; count++) {
      const pending = task(count)
      if (pending) await pending
    }
  }
  const { user, system } = process.cpuUsage(used)
  return count * 1_000_000 / (user + system)
}

const requestOf = async (index: number): Promise<string> => {
  const subject = encodeName([{ type: 'CN', value: `node${index}` }])
  return encodePem('CERTIFICATE REQUEST', signRequest({
    subject,
    names: [
      { type: 'dns', value: `node${index}.zone.example` }, { type: 'ip', value: '10.1.2.3' },
      { type: 'uri', value: `spiffe://z1/node/node${index}` },
    ],
  }, await keys.generate('ec-p256', systemRandom)))
}

const bench: Bench = async ({ seconds, say }) => {
  x509.cryptoProvider.set(crypto)
  const ms = seconds * 1_000 / ROUNDS
  const issuer = await keys.generate('ec-p256', systemRandom)
  const issuerName = encodeName([{ type: 'O', value: 'zone z1' }, { type: 'CN', value: 'intermediate' }])
  const authorityKeyId = keyIdOf(issuer.public.spki, hash)
  const requests = await Promise.all(Array.from({ length: REQUESTS }, (_, index) => requestOf(index)))
  const notBefore = Date.now()

  const ours = (index: number): void => {
    const request = parseRequest(decodePem(requests[index % REQUESTS]!, 'CERTIFICATE REQUEST'))
    request.verify(keys)
    encodePem('CERTIFICATE', signCertificate({
      serial: newSerial(systemRandom), issuer: issuerName,
      subject: encodeName([{ type: 'CN', value: request.commonName! }]), notBefore, notAfter: notBefore + 30 * DAY,
      spki: request.spki,
      extensions: {
        keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth', 'clientAuth'], names: request.names,
        subjectKeyId: keyIdOf(request.spki, hash), authorityKeyId,
      },
    }, issuer))
  }

  const nativeKey = createPrivateKey(issuer.exportPem())
  const nativePublic = createPublicKey(nativeKey)
  const message = new Uint8Array(400)
  const signature = sign('sha256', message, nativeKey)
  const bare = (): void => {
    if (!verify('sha256', message, nativePublic, signature)) throw new Error('It is not signed')
    sign('sha256', message, nativeKey)
  }

  const signingKey = await crypto.subtle.importKey(
    'pkcs8', nativeKey.export({ format: 'der', type: 'pkcs8' }), algorithm, false, ['sign'],
  ) as webcrypto.CryptoKey
  const peculiar = async (index: number): Promise<void> => {
    const request = new x509.Pkcs10CertificateRequest(requests[index % REQUESTS]!)
    if (!await request.verify()) throw new Error('It is not signed')
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialText(newSerial(systemRandom)).replaceAll(':', ''), issuer: 'O=zone z1, CN=intermediate',
      subject: request.subject, notBefore: new Date(notBefore), notAfter: new Date(notBefore + 30 * DAY),
      publicKey: request.publicKey, signingKey, signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        ...request.extensions,
        await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
        new x509.AuthorityKeyIdentifierExtension(Buffer.from(authorityKeyId).toString('hex')),
      ],
    })
    certificate.toString('pem')
  }

  say(`certificates of P-256 from PEM to PEM, ${ROUNDS} rounds in turn`)
  const rates = await interleaved(ROUNDS, {
    ours: () => perSecond(ms, ours), bare: () => perSecond(ms, bare), peculiar: () => perSecond(ms, peculiar),
  })
  const certificate = { value: rates.ours, unit: 'certificates/s of a core' }
  const ofBare: Row = { name: 'request to certificate, against bare verify and sign', ...certificate,
    ratio: rates.ours / rates.bare }
  return [
    'Deno' in globalThis ? { ...ofBare, target: OF_BARE_ON_DENO } : ofBare,
    { name: 'request to certificate, against @peculiar/x509', ...certificate, ratio: rates.ours / rates.peculiar },
    { name: 'bare verify and sign', value: rates.bare, unit: 'pairs/s of a core' },
    { name: '@peculiar/x509', value: rates.peculiar, unit: 'certificates/s of a core' },
  ]
}

export default bench
