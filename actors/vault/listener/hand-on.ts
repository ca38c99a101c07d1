import { messageOf, ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../../runtime/platform/ports.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { Vault } from '../protocol.ts'

/** Of a request's headers only those that the vault goes by. */
const HANDED = ['authorization', 'content-type', 'x-vault-token', 'x-vault-namespace', 'x-vault-wrap-ttl'] as const

const HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }
const utf8 = new TextDecoder('utf-8', { fatal: true })

export const faultBody = (error: string): object => ({ errors: [error] })

const fault = (status: number, error: string): HttpResponse => ({
  status, body: `${JSON.stringify(faultBody(error))}\n`,
  headers: {
    ...HEADERS, 'content-type': 'application/json', ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
  },
})

export interface HandOnOptions {
  readonly vault: Pick<Client<typeof Vault>, 'http'>
  readonly origin: () => string
  /** Told of what is nobody's business outside: never a path, a header or a body. */
  readonly warn: (message: string) => void
  readonly count: (sample: string) => void
}

/** Hands requests to the vault as they are, so many at once. What they mean is for the vault to say. */
export function createHandOn(options: HandOnOptions): (request: HttpRequest) => Promise<HttpResponse> {
  const { vault, origin, warn, count } = options
  let underWay = 0
  const hand = async ({ method, path, query, headers: all, body }: HttpRequest): Promise<HttpResponse> => {
    const headers: Record<string, string> = {}
    for (const name of HANDED) {
      const value = all[name]
      if (value === undefined) continue
      if (value.length > limits.vaultHttpHeader) return fault(431, 'a header is too long')
      headers[name] = value
    }
    let text: string
    try {
      text = utf8.decode(body)
    } catch {
      return fault(400, 'failed to parse JSON input: no UTF-8')
    }
    const request = { method, path, query, origin: origin(), headers, body: text }
    const answer = await vault.http(request, { withinMs: limits.vaultHttpMs })
    const { status, body: answered, base64 } = answer
    return {
      status, headers: { ...HEADERS, ...answer.headers }, body: base64 ? fromBase64(answered) : answered,
    }
  }
  const answer = async (request: HttpRequest): Promise<HttpResponse> => {
    if (underWay >= limits.vaultHttpRequests) return fault(429, 'too many requests at once')
    underWay++
    try {
      return await hand(request)
    } catch (error) {
      if (error instanceof ZonewrightError && PASSING.has(error.code)) {
        return fault(error.code === 'Overloaded' ? 429 : 503, 'the vault cannot answer now')
      }
      warn(`A request failed: ${messageOf(error)}`)
      return fault(500, 'internal error')
    } finally {
      underWay--
    }
  }
  return async (request) => {
    const answered = await answer(request)
    // Who tries tokens is seen here: the vault keeps no record of what nobody was let in to
    count(`vault_http_requests_total{status="${answered.status}"}`)
    return answered
  }
}

const PASSING: ReadonlySet<string> = new Set([
  'Unavailable', 'DeadlineExceeded', 'Overloaded', 'Restarted', 'Cancelled', 'LimitExceeded',
])

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
