import { VaultSealed } from '../../actors/vault/protocol.ts'
import { Denied, InvalidArgument, NotFound, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { Usage } from '../errors.ts'
import { parseJson } from '../parse-json.ts'

/** Where a vault listens, and who asks. */
export interface VaultWhere {
  readonly address: string
  /** PEM of the roots that its certificate may end at; without them those of the system. */
  readonly roots?: string
  readonly token?: string
}

export interface VaultClient {
  readonly address: string
  /** The body of its answer, {} where there is none. @throws what its status says */
  ask(method: string, path: string, body?: object): Promise<Readonly<Record<string, unknown>>>
}

export const DEFAULT_ADDRESS = 'http://127.0.0.1:8200'
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/

/** @throws Usage */
export function openVaultClient({ transport }: Platform, { address, roots, token }: VaultWhere): VaultClient {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isTls = url?.protocol === 'https:'
  const isBare = url?.username === '' && url.pathname === '/' && url.search === ''
  if (!url || !isBare || (!isTls && url.protocol !== 'http:')) {
    throw new Usage(`It is not the address of a vault: ${address}`, { next: `It looks like ${DEFAULT_ADDRESS}` })
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  // Shares and tokens go there, and HTTP hides nothing
  if (!isTls && !LOOPBACK.test(hostname)) {
    throw new Usage(`Without TLS a vault is asked on this machine only: ${address}`, { next: 'Give an https address' })
  }
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port)
  return {
    address,
    async ask(method, path, body) {
      const answer = await transport.request({
        hostname, port, method, path: `/v1/${path}`, withinMs: limits.clientCallMs, bytesMax: limits.clientAnswerBytes,
        headers: { 'x-vault-request': 'true', ...(token === undefined ? {} : { 'x-vault-token': token }) },
        body: body === undefined ? '' : JSON.stringify(body),
        ...(isTls ? { tls: { roots: roots === undefined ? 'system' : [roots] } } : {}),
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of answer.body) chunks.push(chunk)
      const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
      let at = 0
      for (const chunk of chunks) {
        bytes.set(chunk, at)
        at += chunk.length
      }
      const read = bytes.length === 0 ? {} : parseJson(bytes)
      if (typeof read !== 'object' || read === null) throw notAVault(address)
      const found = read as Readonly<Record<string, unknown>>
      // What `sys/health` tells by its status is no failure
      if (answer.status < 400 || !('errors' in found)) return found
      throw faultOf(answer.status, found['errors'])
    },
  }
}

const notAVault = (address: string): Error =>
  new Unavailable(`What listens there does not answer as a vault: ${address}`, { next: 'Say where it is by --address' })

function faultOf(status: number, errors: unknown): Error {
  const told = Array.isArray(errors) ? errors.map(String).join('; ') : ''
  const message = told === '' ? `The vault answered ${status}` : `The vault says: ${told}`
  switch (status) {
    case 403: return new Denied(message, { next: 'Give a token that may, by --token-file or VAULT_TOKEN' })
    case 404: return new NotFound(message)
    case 429: return new Overloaded(message)
    case 503: return /sealed/.test(told) ? new VaultSealed(message, { next: 'Unseal it first: vault unseal' })
      : new Unavailable(message)
    default: return status < 500 ? new InvalidArgument(message) : new Unavailable(message)
  }
}
