import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startVaultAlone } from '../../boot/vault-alone.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { HOST } from './payload.ts'

export interface HttpVault {
  readonly port: number
  readonly token: string
  /** Where signing requests go. */
  readonly path: string
  stop(): Promise<void>
}

/** The vault by itself, with its listener, initialised and open, with a P-256 authority of its own and a role. */
export async function startHttpVault(platform: Platform): Promise<HttpVault> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const http = { hostname: '127.0.0.1', port: 0, tls: 'off' as const }
  const vault = await startVaultAlone({ platform, folder, http })
  const { port } = vault.address
  let token = ''
  const ask = async (method: string, path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
      method, headers: { 'x-vault-token': token }, body: JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${text}`)
    return text === '' ? {} : JSON.parse(text) as Record<string, unknown>
  }
  const made = await ask('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
  await ask('PUT', 'sys/unseal', { key: (made['keys'] as string[])[0] })
  token = String(made['root_token'])
  await ask('POST', 'sys/mounts/bench', { type: 'pki' })
  await ask('POST', 'bench/root/generate/internal', { common_name: 'bench', key_type: 'ec', ttl: '87600h' })
  await ask('POST', 'bench/roles/host', { allowed_domains: [HOST], allow_bare_domains: true, key_type: 'ec' })
  return {
    port, token, path: '/v1/bench/sign/host',
    async stop() {
      await vault.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
