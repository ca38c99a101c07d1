import { spawn } from 'node:child_process'
import { Agent, request } from 'node:http'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Platform } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'

export interface Posted { readonly status: number; readonly text: string }

/** Posts bodies that were made before, by so many connections; microseconds each. @throws on another status than 200 */
export async function posts(
  port: number, path: string, type: string, bodies: readonly string[], inFlight: number,
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
  const began = performance.now()
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < bodies.length) {
      const { status, text } = await post(agent, port, path, { 'content-type': type, ...more }, bodies[next++]!)
      if (status !== 200) throw new Error(`${path} was answered ${status}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  agent.destroy()
  return (performance.now() - began) * 1_000 / bodies.length
}

const post = (
  agent: Agent, port: number, path: string, given: Readonly<Record<string, string>>, body: string,
): Promise<Posted> =>
  new Promise((resolve, reject) => {
    const headers = { ...given, 'content-length': Buffer.byteLength(body) }
    const sent = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text })).on('error', reject)
    })
    sent.on('error', reject).end(body)
  })

export interface Peer {
  readonly port: number
  /** A form with another assertion each time. */
  body(): string
  stop(): void
}

/** oidc-provider in a process of its own, and a client that it knows. */
export async function startPeer({ clock, keys, random }: Platform): Promise<Peer> {
  const [client, server] = [keys.generate(random), keys.generate(random)]
  const alg = { alg: 'Ed25519', use: 'sig' }
  // The seed is what follows the fixed beginning of PKCS #8
  const der = Buffer.from(server.exportPem().split('\n').slice(1, -2).join(''), 'base64')
  const serverJwk = { ...server.public.jwk, d: der.subarray(-32).toString('base64url'), kid: 'server', ...alg }
  const options = JSON.stringify({ clientJwk: { ...client.public.jwk, kid: 'client', ...alg }, serverJwk })
  // Where peers are installed, which is beside the sources
  const file = fileURLToPath(new URL('bench/login/oidc-server.mjs', `file://${process.cwd()}/`))
  const child = spawn('node', [file, options], { stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('exit', () => reject(new Error('oidc-provider has ended')))
    child.stdout.once('data', (line) => resolve(Number(String(line))))
  })
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return {
    port,
    body() {
      const iat = Math.floor(clock.now() / 1000)
      const jti = toBase64url(random.bytes(16))
      const claims = { iss: 'bench', sub: 'bench', aud: 'http://127.0.0.1', iat, exp: iat + 600, jti }
      const signed = `${text({ alg: 'Ed25519', kid: 'client' })}.${text(claims)}`
      const assertion = `${signed}.${toBase64url(client.sign(new TextEncoder().encode(signed)))}`
      return new URLSearchParams({
        grant_type: 'client_credentials', resource: 'urn:bench', client_assertion: assertion,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }).toString()
    },
    stop: () => void child.kill(),
  }
}
