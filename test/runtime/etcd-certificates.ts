import type { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const hour = 3_600_000

/** An authority with a server's and a client's certificate, and a client whose certificate another one signed. */
export async function etcdCertificates(): Promise<Record<'server' | 'client' | 'stranger', EtcdCredentials>> {
  x509.cryptoProvider.set(crypto)
  const ours = await authority('etcd')
  const theirs = await authority('theirs')
  return {
    server: await leaf(ours, 'server'),
    client: await leaf(ours, 'client'),
    stranger: { ...await leaf(theirs, 'stranger'), authority: ours.certificate.toString('pem') },
  }
}

interface Authority {
  readonly keys: webcrypto.CryptoKeyPair
  readonly certificate: x509.X509Certificate
}

const generate = (): Promise<webcrypto.CryptoKeyPair> => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
const lifetime = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) })

async function authority(name: string): Promise<Authority> {
  const keys = await generate()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`, serialNumber: '01', keys, signingAlgorithm: algorithm, ...lifetime(),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  return { keys, certificate }
}

async function leaf(issuer: Authority, name: string): Promise<EtcdCredentials> {
  const keys = await generate()
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`, issuer: issuer.certificate.subject, serialNumber: '02', publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey, signingAlgorithm: algorithm, ...lifetime(),
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ],
  })
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    authority: `${issuer.certificate.toString('pem')}\n`,
    certificate: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  }
}
