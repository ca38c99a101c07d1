import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'

/**
 * Certificates by OpenSSL, so that what ours makes of one is not judged by what ours makes. For 127.0.0.1 and
 * localhost.
 */
export function tlsPairs() {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-pairs-'))
  const run = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8', cwd: folder })
    if (status !== 0) throw new Error(stderr)
  }
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const authority = (name: string): string => {
    run('req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '30')
    return read(`${name}.pem`)
  }
  const certified = (name: string, by: string): TlsPair => {
    run('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
    writeFileSync(join(folder, 'ext'), `${names}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    run('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial',
      '-days', '10', '-extfile', 'ext', '-out', `${name}.pem`)
    return { certificate: read(`${name}.pem`), key: read(`${name}.key`) }
  }
  try {
    const root = authority('root')
    const foreignRoot = authority('foreign')
    return {
      root, foreignRoot, server: certified('server', 'root'), client: certified('client', 'root'),
      stranger: certified('stranger', 'foreign'),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
