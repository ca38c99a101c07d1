import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CertificateKeyType, CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { keyIdOf, parseCertificate, signCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList, signRevocationList, type RevocationListFields } from '../../runtime/x509/crl.ts'
import type { Extensions } from '../../runtime/x509/extensions.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { newSerial } from '../../runtime/x509/serial.ts'

export const keys = await createCrypto()
export const random = new SeededRandom('x509 tests')
export const second = 1000
export const day = 86_400_000
export const now = Math.floor(Date.now() / second) * second

/** Something that has a certificate, and may sign others. */
export interface Holder {
  readonly key: CertificateSigningKey
  readonly certificate: Certificate
}

export interface HolderOptions {
  readonly type?: CertificateKeyType
  /** DER of its Name; by default its `CN` alone. */
  readonly subject?: Uint8Array
  readonly notBefore?: number
  readonly notAfter?: number
  readonly extensions?: Extensions
  readonly key?: CertificateSigningKey
}

export const idOf = (key: CertificateSigningKey): Uint8Array => keyIdOf(key.public.spki, keys.hash)

export async function holder(name: string, issuer: Holder | undefined, options: HolderOptions): Promise<Holder> {
  const key = options.key ?? await keys.certificates.generate(options.type ?? 'ec-p256', random)
  const subject = options.subject ?? encodeName([{ type: 'O', value: 'zone z1' }, { type: 'CN', value: name }])
  const id = issuer?.certificate.extensions.subjectKeyId
  const der = signCertificate({
    serial: newSerial(random), issuer: issuer?.certificate.subject ?? subject, subject,
    notBefore: options.notBefore ?? now - day, notAfter: options.notAfter ?? now + 30 * day, spki: key.public.spki,
    extensions: { subjectKeyId: idOf(key), ...(id ? { authorityKeyId: id } : {}), ...options.extensions },
  }, issuer?.key ?? key)
  return { key, certificate: parseCertificate(der) }
}

/** An authority; without `issuer` a root. */
export const authority = (
  name: string, issuer?: Holder, { extensions, ...options }: HolderOptions = {},
): Promise<Holder> => holder(name, issuer, {
  notAfter: now + 3650 * day,
  ...options,
  extensions: { ca: issuer ? { pathLength: 0 } : {}, keyUsage: ['keyCertSign', 'cRLSign'], ...extensions },
})

export const leafExtensions: Extensions = {
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['serverAuth', 'clientAuth'],
  names: [
    { type: 'dns', value: 'localhost' }, { type: 'ip', value: '127.0.0.1' }, { type: 'ip', value: '2001:db8::1' },
    { type: 'uri', value: 'spiffe://z1/ood/ood1' },
  ],
}

export const leaf = (
  name: string, issuer: Holder, { extensions, ...options }: HolderOptions = {},
): Promise<Holder> => holder(name, issuer, { ...options, extensions: { ...leafExtensions, ...extensions } })

export const listOf = (issuer: Holder, fields: Partial<RevocationListFields> = {}) =>
  parseRevocationList(signRevocationList({
    issuer: issuer.certificate.subject, number: 1, thisUpdate: now - second, nextUpdate: now + day,
    authorityKeyId: idOf(issuer.key), revoked: [], ...fields,
  }, issuer.key))

/** Files of one test, and programs that are run beside them. */
export interface Bench {
  file(name: string, contents: string | Uint8Array): string
  /** Standard output and error. @throws Error unless it ends with 0, or with `code` */
  run(program: string, args: readonly string[], options?: { code?: number }): string
}

export function withFolder(task: (bench: Bench) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zonewright-x509-'))
    try {
      await task({
        file(name, contents) {
          writeFileSync(join(folder, name), contents, { mode: 0o600 })
          return join(folder, name)
        },
        run(program, args, { code = 0 } = {}) {
          const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
          if (error) throw new Error(`${program} cannot be run: ${error.message}`)
          const output = stdout + stderr
          if (status !== code) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${output}`)
          return output
        },
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}
