/** HTTP to a port of a test host, by the Unix socket that leads there. */
import { openPlatform } from '../../runtime/platform/index.ts'

const platform = await openPlatform()
/** Longer than any limit by which the zone itself gives a call up. */
const ANSWER_MS = 35_000

export class Refused extends Error {
  readonly code: string
  readonly reason: string
  constructor(code: string, message: string, reason: string) {
    super(`${code}: ${message}`)
    this.code = code
    this.reason = reason
  }
}

let sequence = 0

export class Way {
  readonly #socket: string

  constructor(socket: string) {
    this.#socket = socket
  }

  async get(path: string, withinMs = ANSWER_MS): Promise<string> {
    return await this.#request('GET', path, '', withinMs)
  }

  /** kRPC. @throws Refused, or what kept it from being answered */
  async call(service: string, method: string, params: object, token: string | null): Promise<unknown> {
    const body = JSON.stringify({ method, params, sys: token === null ? [++sequence] : [++sequence, token] })
    const answer = JSON.parse(await this.#request('POST', `/kapi/${service}`, body, ANSWER_MS)) as {
      readonly result?: unknown
      readonly error?: string
      readonly code?: string
      readonly details?: { readonly reason?: string }
    }
    if (answer.error === undefined) return answer.result
    throw new Refused(answer.code ?? 'Unknown', answer.error, answer.details?.reason ?? '')
  }

  async #request(method: string, path: string, body: string, withinMs: number): Promise<string> {
    const ending = new AbortController()
    const late = setTimeout(() => ending.abort(new Error('No answer')), withinMs)
    try {
      const answer = await platform.transport.request({
        hostname: '', port: 0, socket: this.#socket, method, path, body, withinMs, signal: ending.signal,
        headers: { 'content-type': 'application/json' },
      })
      let text = ''
      const decoder = new TextDecoder()
      for await (const piece of answer.body) text += decoder.decode(piece, { stream: true })
      if (method === 'GET' && answer.status !== 200) throw new Error(`It answers ${answer.status}`)
      return text
    } finally {
      clearTimeout(late)
    }
  }
}
