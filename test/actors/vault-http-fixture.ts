import { createMemoryStore } from '../../runtime/store/memory.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Store } from '../../runtime/store/store.ts'
import { manualClock, type ManualClock } from './manual-clock.ts'
import { as, kernelPeer, startIn, type Started } from './vault-fixture.ts'

export const listener = kernelPeer('vault-listener')

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Envelope
}

export interface Envelope {
  readonly data: Record<string, never>
  readonly auth: Record<string, never>
  readonly warnings: readonly string[] | null
  readonly errors: readonly string[]
  readonly [more: string]: unknown
}

export interface AskOptions {
  readonly token?: string
  readonly body?: unknown
  /** Of the body as it is. */
  readonly raw?: string
  readonly query?: string
  readonly headers?: Record<string, string>
}

export type Ask = (method: string, path: string, options?: AskOptions) => Promise<Reply>

export interface HttpVault extends Started {
  readonly store: Store
  readonly clock: ManualClock
  readonly ask: Ask
  /** What a root token may. */
  readonly root: Ask
  readonly rootToken: string
  readonly shares: readonly string[]
  /** A token with these policies, by root. */
  token(options?: Record<string, unknown>): Promise<string>
}

export const newStore = (): Store => createMemoryStore({ clock: systemClock, random: systemRandom })

/** Asks the vault's actor itself: only the listener, and the link, are absent. */
export const askOf = ({ handlers }: Started, peer = listener): Ask => async (method, path, options = {}) => {
  const { token, body, raw, query, headers = {} } = options
  const answer = await handlers.http({
    method, path: `/v1/${path}`, origin: 'http://127.0.0.1:8200',
    headers: { ...(token === undefined ? {} : { 'x-vault-token': token }), ...headers },
    body: raw ?? (body === undefined ? '' : JSON.stringify(body)), ...(query === undefined ? {} : { query }),
  }, as(peer))
  const isJson = answer.headers['content-type'] === 'application/json'
  return { ...answer, body: isJson && answer.body !== '' ? JSON.parse(answer.body) : {} }
}

/** Initialised over HTTP and unsealed, in memory, on a clock that the test moves. */
export async function openHttpVault(store = newStore(), clock = manualClock()): Promise<HttpVault> {
  const started = await startIn(store, {}, { clock, env: { ZONEWRIGHT_VAULT_SEALED: '1' } })
  const ask = askOf(started)
  const { body } = await ask('PUT', 'sys/init', { body: { secret_shares: 1, secret_threshold: 1 } })
  const [rootToken, shares] = [String(body['root_token']), body['keys'] as readonly string[]]
  await ask('PUT', 'sys/unseal', { body: { key: shares[0] } })
  const root: Ask = (method, path, options = {}) => ask(method, path, { token: rootToken, ...options })
  return {
    ...started, store, clock, ask, root, rootToken, shares,
    async token(options = {}) {
      const made = await root('POST', 'auth/token/create', { body: options })
      return String(made.body.auth['client_token'])
    },
  }
}
