import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import vaultClient from 'node-vault'
import { startVaultAlone } from '../boot/vault-alone.ts'
import { openPlatform } from '../runtime/platform/index.ts'

export const platform = await openPlatform()

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: Record<string, never>
}

type Ask = (method: string, path: string, options?: {
  readonly token?: string; readonly body?: unknown; readonly headers?: Record<string, string>; readonly raw?: string
}) => Promise<Reply>

/** The vault by itself, in workers, on a port of its own; not initialised yet. */
export async function startVault({ folder, tls = 'off' }: { folder?: string; tls?: 'off' | 'auto' } = {}) {
  const dir = folder ?? await mkdtemp(join(tmpdir(), 'zonewright-vault-'))
  const alone = await startVaultAlone({
    platform, folder: dir, http: { hostname: '127.0.0.1', port: 0, ...(tls === 'off' ? { tls } : {}) },
  })
  const { port } = alone.address
  const endpoint = `http://127.0.0.1:${port}`
  const said: string[] = []
  alone.trace.on('log', ({ actor, message, fields }) => void said.push(`${actor}: ${message} ${JSON.stringify(fields)}`))
  const ask: Ask = async (method, path, { token, body, headers = {}, raw } = {}) => {
    const answer = await platform.transport.request({
      hostname: '127.0.0.1', port, method, path, withinMs: 20_000,
      headers: { ...(token === undefined ? {} : { 'x-vault-token': token }), ...headers },
      body: raw ?? (body === undefined ? '' : JSON.stringify(body)),
    })
    const chunks: Uint8Array[] = []
    for await (const chunk of answer.body) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const isJson = answer.headers['content-type'] === 'application/json' && text !== ''
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : {} }
  }
  const clientOf = (token?: string) => vaultClient({ endpoint, ...(token === undefined ? {} : { token }) })
  return {
    dir, port, endpoint, said, ask, clientOf, get: alone.get,
    /** Its folder stays. */
    halt: () => alone.stop(),
    async stop() {
      await alone.stop()
      if (folder === undefined) await rm(dir, { recursive: true, force: true })
    },
  }
}

export type RunningVault = Awaited<ReturnType<typeof startVault>>

/** Of a vault that is not initialised. */
export async function withVault(use: (vault: RunningVault) => Promise<void>): Promise<void> {
  const vault = await startVault()
  try {
    await use(vault)
  } finally {
    await vault.stop()
  }
}

export type OpenVault = RunningVault & Awaited<ReturnType<typeof initialise>>

/** One share opens it. */
export async function initialise(vault: RunningVault) {
  const client = vault.clientOf()
  const { keys, root_token: root } = await client.init({ secret_shares: 1, secret_threshold: 1 })
  await client.unseal({ key: keys[0] })
  client.token = root
  return { client, root: root as string, shares: keys as string[] }
}

/** Of one that is initialised and unsealed. */
export const withOpenVault = (use: (vault: OpenVault) => Promise<void>): Promise<void> =>
  withVault(async (vault) => use({ ...vault, ...await initialise(vault) }))
