import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { timed } from './payload.ts'

const DAY_MS = 86_400_000

/** What the package that judges ours does for one request: read, check, certify. Microseconds each; nothing is kept. */
export async function openX509(): Promise<(pems: readonly string[], count: number) => Promise<number>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=bench', keys, signingAlgorithm: algorithm, notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 365 * DAY_MS), extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  const sign = async (pem: string): Promise<string> => {
    const request = new x509.Pkcs10CertificateRequest(pem)
    if (!await request.verify()) throw new Error('The request does not verify')
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: crypto.randomUUID().replaceAll('-', ''),
      subject: request.subject, issuer: issuer.subject, publicKey: request.publicKey, signingKey: keys.privateKey,
      signingAlgorithm: algorithm, notBefore: new Date(), notAfter: new Date(Date.now() + 30 * DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
        await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ],
    })
    return certificate.toString('pem')
  }
  return (pems, count) => timed(count, 8, (index) => sign(pems[index % pems.length]!))
}
