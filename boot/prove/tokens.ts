import { kv } from '../../actors/records.ts'
import { Service } from '../../actors/service/protocol.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { signCompact } from '../../runtime/trust/jws.ts'
import { tokenLifetimeSeconds, tokenTypes, type TokenUse } from '../../runtime/trust/token.ts'
import type { Attempt } from './judge.ts'
import { APPID, type Scene, type Visitor } from './scene.ts'

/** Where a token is shown, and what the call would have been. */
const verifiers = {
  async 'system-config'(scene: Scene, token: string, visitor: Visitor = {}) {
    const { client } = await scene.connect(SystemConfig, visitor)
    return () => client.get({ key: kv.bootConfig }, { token })
  },
  async service(scene: Scene, token: string, visitor: Visitor = {}) {
    const { client } = await scene.connect(Service, visitor)
    return () => client.greet({ greeting: 'Hello' }, { token })
  },
  async verifyToken(scene: Scene, sessionToken: string) {
    const { client } = await scene.connect(VerifyHub)
    return () => client.verifyToken({ sessionToken, audience: APPID })
  },
  async refreshToken(scene: Scene, refreshToken: string) {
    const { client } = await scene.connect(VerifyHub)
    return () => client.refreshToken({ refreshToken })
  },
  async loginByJwt(scene: Scene, jwt: string) {
    const { client } = await scene.connect(VerifyHub)
    return async () => scene.keep(await client.loginByJwt({ jwt }))
  },
} as const satisfies Readonly<Record<string, (scene: Scene, token: string) => Promise<() => Promise<unknown>>>>

type Row = readonly [
  name: string,
  verifier: keyof typeof verifiers,
  token: (scene: Scene) => string | Promise<string>,
  reason: DenialReason,
]

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Another header or other claims, under the signature as it was. */
function rewritten(token: string, part: 'header' | 'claims', changes: object): string {
  const parts = token.split('.')
  const at = part === 'header' ? 0 : 1
  parts[at] = toBase64url(encoder.encode(JSON.stringify({ ...jsonOf(parts[at]!), ...changes })))
  return parts.join('.')
}

const jsonOf = (part: string): object => JSON.parse(decoder.decode(fromBase64url(part))) as object

function namedTwice(token: string): string {
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const text = decoder.decode(fromBase64url(payload)).replace('{', '{"sub":"root",')
  return `${header}.${toBase64url(encoder.encode(text))}.${signature}`
}

/** The claims of the device's session, signed by its key under whatever `typ`. */
const deviceSigned = (scene: Scene, typ: string, changes: object = {}): string =>
  signCompact(scene.device, typ, { ...jsonOf(scene.token('session').split('.')[1]!), ...changes })

const narrow = async (scene: Scene): Promise<string> => (await scene.session()).sessionToken
const wide = async (scene: Scene): Promise<string> => (await scene.session(APPID, ['system-config'])).sessionToken
const ofGateway = async (scene: Scene): Promise<string> => (await scene.session('gateway')).sessionToken
const refresh = async (scene: Scene): Promise<string> => (await scene.session()).refreshToken
const aged = (scene: Scene, use: TokenUse) =>
  ({ iat: scene.nowSeconds() - tokenLifetimeSeconds[use], exp: scene.nowSeconds() - 1 })

const rows: readonly Row[] = [
  ['A session for the service alone at system-config', 'system-config', narrow, 'token/audience'],
  ['A session for the gateway at the service', 'service', ofGateway, 'token/audience'],
  ['A session for the gateway, said to be for the service', 'verifyToken', ofGateway, 'token/audience'],
  ['A device key at a service', 'service', (scene) => scene.token('session', { aud: [APPID] }), 'token/unknown-key'],
  ['A device key at verify-hub, as a session', 'verifyToken',
    (scene) => scene.token('session', { aud: [APPID] }), 'token/unknown-key'],
  ['A refresh token as a session at a service', 'service', refresh, 'token/use'],
  ['A refresh token as a session at system-config', 'system-config', refresh, 'token/use'],
  ['A refresh token as a session at verify-hub', 'verifyToken', refresh, 'token/use'],
  ['A session as a refresh token', 'refreshToken', narrow, 'token/use'],
  ['A session as a login token', 'loginByJwt', narrow, 'token/use'],
  ['A login token as a session at a service', 'service', (scene) => scene.token('login'), 'token/use'],
  ['A login token as a session at system-config', 'system-config', (scene) => scene.token('login'), 'token/use'],
  ['A login token as a refresh token', 'refreshToken', (scene) => scene.token('login'), 'token/use'],
  ['A boot token after boot', 'system-config', (scene) => scene.token('boot'), 'token/use'],
  ['A root token by the device key, at system-config', 'system-config',
    (scene) => scene.token('root'), 'token/key-reason'],
  ['A root token by the device key, at a service', 'service',
    (scene) => scene.token('root', { aud: [APPID] }), 'token/unknown-key'],
  ['A sudo token by the device key', 'system-config',
    (scene) => scene.token('sudo'), 'token/key-reason'],
  ['A sudo token by a key that its user does not have', 'system-config', (scene) =>
    scene.token('sudo', { iss: scene.zone.config.owner, sub: scene.zone.config.owner }, scene.stranger),
    'token/unknown-key'],
  ['A sudo token by the device key, at a service', 'service',
    (scene) => scene.token('sudo', { aud: [APPID] }), 'token/unknown-key'],
  ['A sudo token as a session at verify-hub', 'verifyToken',
    (scene) => scene.token('sudo', { aud: [APPID] }), 'token/use'],
  ['A sudo token as a refresh token', 'refreshToken',
    (scene) => scene.token('sudo', { aud: ['verify-hub'] }), 'token/use'],
  ['A sudo token as a login token', 'loginByJwt',
    (scene) => scene.token('sudo', { aud: ['verify-hub'] }), 'token/use'],
  ['A root token as a login token', 'loginByJwt',
    (scene) => scene.token('root', { aud: ['verify-hub'] }), 'token/use'],
  ['A device that calls itself verify-hub', 'system-config',
    (scene) => scene.token('session', { iss: 'verify-hub', sub: scene.host, sid: 'forged' }), 'token/issuer'],
  ['A device that speaks for root', 'system-config',
    (scene) => scene.token('session', { sub: 'root' }), 'token/subject'],
  ['A device that speaks for the owner', 'system-config',
    (scene) => scene.token('session', { sub: scene.zone.config.owner }), 'token/subject'],
  ['A device session of runtime type kernel-service', 'system-config',
    (scene) => scene.token('session', { runtime_type: 'kernel-service' }), 'token/runtime-type'],
  ['A session by a key that nobody knows', 'system-config',
    (scene) => scene.token('session', {}, scene.stranger), 'token/unknown-key'],
  ['The signature of a key under the name of another', 'system-config',
    (scene) => scene.token('session', {}, scene.impostor), 'token/signature'],
  ['A session whose subject was changed', 'service',
    async (scene) => rewritten(await narrow(scene), 'claims', { sub: 'other' }), 'token/signature'],
  ['A session whose holder was taken out', 'service',
    async (scene) => rewritten(await narrow(scene), 'claims', { cnf: undefined }), 'token/signature'],
  ['A token of algorithm none', 'system-config', (scene) => {
    const token = rewritten(scene.token('session'), 'header', { alg: 'none' })
    return `${token.slice(0, token.lastIndexOf('.'))}.`
  }, 'token/alg-none'],
  ['A token whose MAC is made with a public key', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { alg: 'HS256' }), 'token/alg'],
  ['A token that brings its own key', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { jwk: scene.stranger.public.jwk }), 'token/header-key'],
  ['A token that points to a key by URL', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { jku: 'https://example.com/keys.json' }),
    'token/header-key'],
  ['A token whose key is named by a path', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { kid: '../../devices/x/doc' }), 'token/kid'],
  ['A token that asks for an extension', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { crit: ['x'], x: 1 }), 'token/crit'],
  ['A token whose payload is not encoded', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { b64: false, crit: ['b64'] }), 'token/b64'],
  ['A token that is compressed', 'system-config',
    (scene) => rewritten(scene.token('session'), 'header', { zip: 'DEF' }), 'token/header'],
  ['A token that names its subject twice', 'system-config', (scene) => namedTwice(scene.token('session')),
    'token/duplicate'],
  ['A token that is spelled in another way', 'service', async (scene) => `${await narrow(scene)}=`, 'token/encoding'],
  ['A session that calls itself a refresh token', 'system-config',
    (scene) => deviceSigned(scene, tokenTypes.refresh), 'token/typ'],
  ['A claim that nobody knows', 'system-config',
    (scene) => deviceSigned(scene, tokenTypes.session, { admin: true }), 'token/claims'],
  ['A session that has expired', 'system-config',
    (scene) => scene.token('session', aged(scene, 'session')), 'token/expired'],
  ['A login token that has expired', 'loginByJwt',
    (scene) => scene.token('login', aged(scene, 'login')), 'token/expired'],
  ['A session issued in the future', 'system-config', (scene) => {
    const iat = scene.nowSeconds() + 3_600
    return scene.token('session', { iat, exp: iat + tokenLifetimeSeconds.session })
  }, 'token/not-yet-valid'],
  ['A session made to live for a year', 'system-config',
    (scene) => scene.token('session', { exp: scene.nowSeconds() + 31_536_000 }), 'token/lifetime'],
  ['A session of another zone epoch', 'system-config',
    (scene) => scene.token('session', { epoch: scene.zone.identity.zone.epoch + 1 }), 'token/epoch'],
  ['A login token for two verifiers', 'loginByJwt',
    (scene) => scene.token('login', { aud: ['verify-hub', 'system-config'] }), 'token/audience'],
  ['A login token for root', 'loginByJwt', (scene) => scene.token('login', { sub: 'root' }), 'token/subject'],
  ['A login token for su_root', 'loginByJwt', (scene) => scene.token('login', { sub: 'su_root' }), 'token/subject'],
  ['A login token by a host that is not registered', 'loginByJwt',
    (scene) => scene.token('login', { iss: 'elsewhere', sub: 'elsewhere' }, scene.stranger), 'token/unknown-key'],
  ['A login token for the owner of the zone', 'loginByJwt',
    (scene) => scene.token('login', { sub: scene.zone.config.owner }), 'login/subject'],
  ['A login token of another service', 'loginByJwt',
    (scene) => scene.token('login', { appid: 'gateway' }), 'login/presenter'],
  ['Something that is no token', 'system-config', () => 'let me in', 'token/malformed'],
  ['An empty token', 'service', () => '', 'token/malformed'],
]

const fromRow = ([name, verifier, token, reason]: Row): Attempt => ({
  name, group: 'tokens', expected: { code: 'Denied', reason },
  prepare: async (scene) => verifiers[verifier](scene, await token(scene)),
})

type Token = (scene: Scene) => Promise<string>

/** Bound to a link key, and shown by another. */
const stolen = (name: string, verifier: 'system-config' | 'service', token: Token): Attempt => ({
  name, group: 'tokens', expected: { code: 'Denied', reason: 'token/holder' },
  prepare: async (scene) => verifiers[verifier](scene, await token(scene), { key: scene.stranger }),
})

export const tokenAttacks: readonly Attempt[] = [
  ...rows.map(fromRow),
  stolen('A session stolen by another key, at a service', 'service', narrow),
  stolen('A session stolen by another key, at system-config', 'system-config', wide),
]
