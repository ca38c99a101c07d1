/** A real zone with an app that is a program, for stock OAuth clients: over HTTP, as they would find it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kv, type ServiceSpec } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { signRootToken } from '../boot/client/owner-key.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { OriginalsClient, type Pair, type Post } from './krpc-client.ts'
import { sleep } from './runtime/http-fixture.ts'

export const platform = await openPlatform()

export interface OAuthZone {
  readonly zone: RunningZone
  readonly folder: string
  readonly origin: string
  readonly user: { readonly username: string; readonly password: string }
  /** One request of the command line's kind; `token` is the session of the envelope. */
  krpc(service: string, method: string, params: object, token?: string): Promise<unknown>
  /** The user in this app, by password. */
  login(appid: string): Promise<Pair>
  /** A login token of the app `tool`, as its host signs it. */
  loginToken(changes?: object): Promise<string>
  /** By the owner key: updates or creates. */
  put(key: string, value: unknown): Promise<void>
  stop(): Promise<void>
}

const spec = (name: string, changes: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], ...changes,
})

export async function oauthZone(yaml?: string): Promise<OAuthZone> {
  const folder = await mkdtemp(join(tmpdir(), 'oauth-'))
  if (yaml !== undefined) await writeFile(join(folder, 'zone.yaml'), yaml)
  const zone = await up({ platform, folder })
  const user = (await zone.firstPassword())!
  const origin = `http://127.0.0.1:${zone.address.port}`
  const post: Post = async (path, body) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(origin + path, { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  }
  const owner = async () => ({
    token: signRootToken(platform, await readFile(join(folder, 'owner.key'), 'utf8'), { path: 'owner.key', epoch: 0 }),
  })
  const config = zone.get(SystemConfig)
  const put: OAuthZone['put'] = async (key, value) => {
    const before = await config.get({ key }, await owner())
    const action = before === null ? 'create' : 'update'
    const mainKey = { key, revision: before?.revision ?? 0 }
    await config.execTx({ actions: { [key]: { action, value: JSON.stringify(value) } }, mainKey }, await owner())
  }
  await put(kv.spec('tool'), spec('tool', { audiences: ['system-config'], run: { command: ['/nonexistent/tool'] } }))
  await put(kv.spec('other'), spec('other', { replicas: 0 }))
  for (let tries = 0; ; tries++) {
    const placed = await config.get({ key: kv.node(zone.config.host) }, await owner())
    if (placed?.value.includes('"tool"')) break
    if (tries > 100) throw new Error('The app was not placed')
    await sleep(50)
  }
  return {
    zone, folder, origin, user, put,
    krpc: (service, method, params, token) => new OriginalsClient(post, service, token ?? null).call(method, params),
    login: (appid) => new OriginalsClient(post, 'verify-hub').call('login_by_password', {
      type: 'password', ...user, appid,
    }) as Promise<Pair>,
    async loginToken(changes = {}) {
      const device = platform.keys.importPem(await readFile(join(folder, 'device.key'), 'utf8'))
      const iat = Math.floor(platform.clock.now() / 1000)
      const { host } = zone.config
      return signToken(device, {
        iss: host, sub: host, aud: ['verify-hub'], iat, exp: iat + 600, jti: toBase64url(platform.random.bytes(16)),
        token_use: 'login', appid: 'tool', runtime_type: 'service', epoch: 0, ...changes,
      })
    },
    async stop() {
      await zone.stop()
      await rm(folder, { recursive: true })
    },
  }
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

/** A form as no library would send it. */
export async function send(url: string, body: string, headers: Record<string, string> = {}): Promise<Told> {
  const response = await fetch(url, {
    method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) as {} }
}

export const form = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString()
