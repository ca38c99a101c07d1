/** A program outside the zone, as a user's would be: kRPC over HTTP and nothing else. */
import { request } from 'node:http'

export class KrpcError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

interface Answer {
  readonly result?: unknown
  readonly error?: string
  readonly code?: string
}

interface Pair {
  readonly session_token: string
  readonly refresh_token: string
}

const APPID = 'console'
const AUDIENCES = ['system-config', 'node-daemon', 'scheduler']
/** Before it ends, so that no call carries one that is about to end. */
const RENEW_SECONDS = 120

export class ZoneClient {
  readonly #url: () => string
  #pair: Pair | undefined
  #renewing: Promise<void> | undefined
  #sequence = 0

  /** `url` is asked before each call: a gateway that comes back may have another port. */
  constructor(url: () => string) {
    this.#url = url
  }

  async login(username: string, password: string): Promise<void> {
    const params = { type: 'password', username, password, appid: APPID, audiences: AUDIENCES }
    this.#pair = await this.#post('verify-hub', 'login_by_password', params, null) as Pair
  }

  async call(service: string, method: string, params: object): Promise<unknown> {
    if (!this.#pair) throw new Error('Nobody is logged in')
    if (expiresWithin(this.#pair.session_token, RENEW_SECONDS)) await this.renew()
    return this.#post(service, method, params, this.#pair.session_token)
  }

  /** Callers at the same time share one refresh: a second one with the same token would be reuse. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = undefined })
    return this.#renewing
  }

  async #renew(): Promise<void> {
    const params = { refresh_token: this.#pair?.refresh_token }
    this.#pair = await this.#post('verify-hub', 'refresh_token', params, null) as Pair
  }

  #post(service: string, method: string, params: object, token: string | null): Promise<unknown> {
    const body = JSON.stringify({ method, params, sys: [++this.#sequence, token] })
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const sent = request(`${this.#url()}kapi/${service}`, { method: 'POST', headers, agent: false }, (response) => {
        const chunks: Uint8Array[] = []
        response.on('data', (chunk: Uint8Array) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          try {
            const answer = JSON.parse(Buffer.concat(chunks).toString()) as Answer
            if (answer.error === undefined) resolve(answer.result)
            else reject(new KrpcError(answer.code ?? 'Unknown', answer.error))
          } catch (error) {
            reject(error)
          }
        })
      })
      sent.setTimeout(20_000, () => sent.destroy(new Error('No answer')))
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

function expiresWithin(token: string, seconds: number): boolean {
  const [, payload = ''] = token.split('.')
  const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number }
  return exp - Date.now() / 1000 < seconds
}
