/** What verify-hub ends is over everywhere, and what was used there is used: over HTTP, on a real zone. */
import { createHash } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Service } from '../actors/service/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import type { SigningKey } from '../runtime/platform/ports.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import { knownZone, type KnownZone, type Refused } from './known-zone.ts'
import type { Pair } from './krpc-client.ts'
import { plain } from './plain.ts'

const hubs = suite('attacks at verify-hub')

let known: KnownZone
let person: SigningKey

const me = (): string => known.user.username
const root = (): string => known.sign(known.keys.owner, 'root', { iss: 'root', sub: 'root', aud: ['system-config'] })
const sudo = (aud: string): string => known.sign(person, 'sudo', { iss: me(), sub: me(), aud: [aud] })
const hub = (method: string, params: object, token?: string): Promise<Refused> =>
  known.refusal('verify-hub', method, params, token)
const login = async (): Promise<Pair> => await known.client('verify-hub').call('login_by_password', {
  type: 'password', ...known.user, appid: 'console',
}) as Pair
const write = (action: 'create' | 'update', key: string, value: object): Promise<unknown> =>
  known.client('system_config', root()).call('sys_config_exec_tx', {
    actions: { [key]: { action, value: JSON.stringify(value) } },
  })

hubs.before(plain(async () => {
  known = await knownZone()
  person = known.platform.keys.generate(systemRandom)
  await write('create', `users/${me()}/doc`, { name: me(), key: person.public.jwk, iat: known.nowSeconds() })
}))
hubs.after(() => known?.remove())

hubs('a revoked session is refused at every verifier when the answer comes, and never refreshed', plain(async () => {
  const pair = await login()
  const asked = {
    'verify-hub': () => hub('whoami', {}, pair.session_token),
    verify_token: () => hub('verify_token', { session_token: pair.session_token, appid: 'console' }),
    system_config: () => known.refusal('system_config', 'sys_config_get', { key: 'boot/config' }, pair.session_token),
    scheduler: () => known.refusal('scheduler', 'run_thunk', {}, pair.session_token),
    'node-daemon': () => known.refusal('node-daemon', 'ps', {}, pair.session_token),
  }
  for (const [name, ask] of Object.entries(asked)) assert.is((await ask()).code, '', name)
  const own = known.client('verify-hub', pair.session_token)
  await own.call('revoke_session', { sid: pair.sid })
  for (const [name, ask] of Object.entries(asked)) assert.is((await ask()).reason, 'token/revoked', name)
  assert.is((await hub('refresh_token', { refresh_token: pair.refresh_token })).reason, 'token/revoked')
}))

hubs('a service refuses a revoked session on a link that was open before', plain(async () => {
  const { sessionToken, sid } = await known.scene.login()
  const { client } = await known.scene.connect(Service)
  const greet = (): Promise<string> => client.greet({ greeting: 'Hello' }, { token: sessionToken })
    .then(() => 'let in', ({ details }: ZonewrightError) => String(details['reason']))
  assert.is(await greet(), 'let in')
  await known.client('verify-hub', sudo('verify-hub')).call('revoke_session', { sid })
  assert.is(await greet(), 'token/revoked')
  assert.is((await known.zone.get(VerifyHub).verifySession({ sid })).active, false)
  known.scene.hangUp()
}))

hubs('verify_token answers true, as the originals\' client tests for', plain(async () => {
  const { session_token: token } = await login()
  assert.is(await known.client('verify-hub').call('verify_token', { session_token: token, appid: 'console' }), true)
}))

hubs('who asks verify-hub shows a session or sudo for it, and nothing else', plain(async () => {
  const { device, owner, verifyHub } = known.keys
  const { host } = known.zone.config
  const aud = ['verify-hub']
  const session = { iss: 'verify-hub', sub: me(), aud: ['console', 'verify-hub'], sid: known.pair.sid }
  const tokens = {
    session: known.pair.session_token,
    sudo: sudo('verify-hub'),
    root: known.sign(owner, 'root', { iss: 'root', sub: 'root', aud }),
    boot: known.sign(device, 'boot', { iss: host, sub: 'scheduler', aud, runtime_type: 'kernel-service' }),
    login: known.sign(device, 'login', { iss: host, sub: host, aud }),
    refresh: known.sign(verifyHub, 'refresh', { ...session, aud }),
    'session of the device': known.sign(device, 'session', { iss: host, sub: host, aud, runtime_type: 'ood' }),
    'session of verify-hub': known.sign(verifyHub, 'session', {
      iss: 'verify-hub', sub: 'verify-hub', aud, runtime_type: 'kernel-service',
    }),
    'session for another': known.sign(verifyHub, 'session', { ...session, aud: ['console'] }),
    'sudo for another': sudo('system-config'),
  }
  const seen = Object.fromEntries(await Promise.all(Object.entries(tokens).map(async ([name, token]) =>
    [name, (await hub('whoami', {}, token)).reason])))
  assert.equal(seen, {
    session: '', sudo: '', root: 'token/use', boot: 'token/use', login: 'token/use', refresh: 'token/use',
    'session of the device': 'token/unknown-key', 'session of verify-hub': 'token/subject',
    'session for another': 'token/audience', 'sudo for another': 'token/audience',
  })
  assert.is((await hub('whoami', {}, tokens.sudo)).reason, 'token/replayed')
  assert.is((await hub('whoami', {})).reason, 'token/absent')
}))

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('base64')
/** What the originals send: base64(SHA-256(base64(SHA-256(password + name + ".buckyos")) + nonce)). */
const wire = (name: string, password: string, nonce: number): string =>
  sha256(`${sha256(`${password}${name}.buckyos`)}${nonce}`)

hubs('a nonce is good once: its second use is refused, and ends the session of the first', plain(async () => {
  const [username, password] = ['nora', 'correct horse battery']
  await write('create', `users/${username}/settings`, {
    name: username, type: 'user', state: 'active', compat_password: true,
  })
  await known.client('verify-hub', sudo('verify-hub')).call('set_password', { username, password })
  const by = (nonce: number, given = password) => ({
    type: 'password', username, password: wire(username, given, nonce), appid: 'console', login_nonce: nonce,
  })
  const now = (): number => known.platform.clock.now()
  const nonce = Math.floor(now())
  const first = await known.client('verify-hub').call('login_by_password', by(nonce)) as Pair
  const asks = () => known.refusal('system_config', 'sys_config_get', { key: 'boot/config' }, first.session_token)
  assert.is((await asks()).code, '')
  assert.is((await hub('login_by_password', by(nonce))).reason, 'login/nonce-reused')
  assert.is((await asks()).reason, 'token/revoked')
  assert.is((await hub('refresh_token', { refresh_token: first.refresh_token })).reason, 'token/revoked')
  // Of ten minutes ago or ahead it is none of now
  for (const off of [-600_000, 600_000]) {
    assert.is((await hub('login_by_password', by(Math.floor(now()) + off))).reason, 'login/nonce', `${off}`)
  }
  assert.is((await hub('login_by_password', by(Math.floor(now()), 'wrong'))).code, 'InvalidPassword')
  // Who has no such flag has no such login, whatever the hash
  const at = Math.floor(now())
  const owner = { ...by(at), username: me(), password: wire(me(), known.user.password, at) }
  assert.not((await hub('login_by_password', owner)).code === '')
}))

hubs.run()
