/** A real zone whose keys a test has, all of them: what it signs is refused for what it says, and for nothing else. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue } from '../boot/catalogue.ts'
import { file } from '../boot/init.ts'
import { Scene } from '../boot/prove/scene.ts'
import { type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform, SigningKey } from '../runtime/platform/ports.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims, type TokenUse } from '../runtime/trust/token.ts'
import { knownKeys } from './boot-fixtures/variants.ts'
import { OriginalsClient, type Pair, type Post } from './krpc-client.ts'

type Needed = Partial<TokenClaims> & Pick<TokenClaims, 'iss' | 'sub' | 'aud'>

export interface KnownZone {
  readonly platform: Platform
  readonly folder: string
  readonly zone: RunningZone
  /** Links of a prover, who has the device key. */
  readonly scene: Scene
  readonly keys: Readonly<Record<'owner' | 'device' | 'verifyHub' | 'stranger', SigningKey>>
  readonly user: { readonly username: string; readonly password: string }
  /** The owner as a person, in the command line's app. */
  readonly pair: Pair
  readonly post: Post
  client(service: string, token?: string | null): OriginalsClient
  /** What somebody is refused with; '' when they are let in. */
  refusal(service: string, method: string, params: object, token?: string | null): Promise<Refused>
  sign(by: SigningKey, use: TokenUse, claims: Needed): string
  nowSeconds(): number
  stop(): Promise<void>
  /** The same folder again. */
  again(): Promise<void>
  remove(): Promise<void>
}

export interface Refused {
  readonly code: string
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>>
}

export const claimsOf = (token: string): TokenClaims =>
  JSON.parse(new TextDecoder().decode(fromBase64url(token.split('.')[1]!))) as TokenClaims

export async function knownZone(nodes = 1): Promise<KnownZone> {
  const platform = await openPlatform()
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-known-'))
  const module = new URL('./boot-fixtures/vault-makes-a-known-key.ts', import.meta.url)
  const actors: typeof catalogue = (...given) =>
    catalogue(...given).map((spec) => (spec.protocol.name === 'vault' ? { ...spec, module } : spec))
  const boot = (): Promise<RunningZone> => up({ platform, folder, actors, nodes })
  let zone = await boot()
  let scene = new Scene(zone, platform)
  const post: Post = async (path, body) => {
    const { hostname, port } = zone.address
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`http://${hostname}:${port}${path}`, { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  }
  const client = (service: string, token: string | null = null): OriginalsClient =>
    new OriginalsClient(post, service, token)
  const user = (await zone.firstPassword())!
  const pair = await client('verify-hub').call('login_by_password', {
    type: 'password', ...user, appid: 'console',
  }) as Pair
  const nowSeconds = (): number => Math.floor(platform.clock.now() / 1000)
  return {
    platform, folder, user, pair, post, client, nowSeconds,
    get zone() { return zone },
    get scene() { return scene },
    keys: {
      owner: platform.keys.importPem(await readFile(join(folder, file.ownerKey), 'utf8')),
      device: zone.identity.device,
      verifyHub: knownKeys(platform.keys).generate(platform.random),
      stranger: scene.stranger,
    },
    async refusal(service, method, params, token = null) {
      const { text } = await post(`/kapi/${service}`, JSON.stringify({ method, params, sys: [1, token] }))
      const { code = '', details = {} } = JSON.parse(text) as Partial<Refused>
      return { code, reason: String(details['reason'] ?? ''), details }
    },
    sign(by, use, claims) {
      const iat = nowSeconds()
      return signToken(by, {
        iat, exp: iat + tokenLifetimeSeconds[use], jti: toBase64url(platform.random.bytes(12)), token_use: use,
        appid: 'console', runtime_type: 'user', epoch: 0, ...claims,
      })
    },
    stop: () => zone.stop(),
    async again() {
      zone = await boot()
      scene = new Scene(zone, platform)
    },
    async remove() {
      await zone.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
