import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Platform } from '../../runtime/platform/ports.ts'
import { signCertificate } from '../../runtime/x509/certificate.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { newSerial } from '../../runtime/x509/serial.ts'

const DAY_MS = 86_400_000
const START_MS = 10_000

export interface Cfssl {
  readonly port: number
  stop(): Promise<void>
}

/** `cfssl serve` with a P-256 authority, or nothing where it is not installed. It keeps nothing of what it signs. */
export async function startCfssl({ keys, clock, random }: Platform): Promise<Cfssl | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-cfssl-'))
  const key = await keys.certificates.generate('ec-p256', random)
  const subject = encodeName([{ type: 'CN', value: 'bench' }])
  const der = signCertificate({
    serial: newSerial(random), issuer: subject, subject, spki: key.public.spki, notBefore: clock.now() - DAY_MS,
    notAfter: clock.now() + 365 * DAY_MS, extensions: { ca: {}, keyUsage: ['keyCertSign', 'cRLSign'] },
  }, key)
  const usages = ['digital signature', 'server auth', 'client auth']
  writeFileSync(join(folder, 'ca.pem'), encodePem('CERTIFICATE', der))
  writeFileSync(join(folder, 'ca.key'), key.exportPem(), { mode: 0o600 })
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ signing: { default: { expiry: '720h', usages } } }))
  const port = await freePort()
  const child = spawn('cfssl', [
    'serve', '-address', '127.0.0.1', '-port', String(port), '-ca', join(folder, 'ca.pem'),
    '-ca-key', join(folder, 'ca.key'), '-config', join(folder, 'config.json'), '-loglevel', '5',
  ], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()).once('error', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const began = performance.now()
  while (child.exitCode === null && child.pid !== undefined && performance.now() - began < START_MS) {
    const address = `http://127.0.0.1:${port}/api/v1/cfssl/health`
    const answered = await fetch(address).then((answer) => answer.text(), () => '')
    if (answered !== '') return { port, stop }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await stop()
  return undefined
}

const freePort = (): Promise<number> => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
})
