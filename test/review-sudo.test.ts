/** Item 1 of the review of logins: sudo from end to end, on a real zone and by HTTP. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SigningKey } from '../runtime/platform/ports.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import type { TokenClaims } from '../runtime/trust/token.ts'
import { knownZone, type KnownZone } from './known-zone.ts'
import { plain } from './plain.ts'

const sudo = suite('review, sudo')

let known: KnownZone
let person: SigningKey

const me = (): string => known.user.username
const keySettings = (): string => `users/${me()}/key_settings`
const root = (): string => known.sign(known.keys.owner, 'root', { iss: 'root', sub: 'root', aud: ['system-config'] })
const sign = (changes: Partial<TokenClaims> = {}, by = person): string =>
  known.sign(by, 'sudo', { iss: me(), sub: me(), aud: ['system-config'], ...changes })
const set = (token: string, key = keySettings()) =>
  known.refusal('system_config', 'sys_config_set', { key, value: '{"a":1}' }, token)
const documentOf = (key: SigningKey): string =>
  JSON.stringify({ name: me(), key: key.public.jwk, iat: known.nowSeconds() })
const writeDocument = (token: string, key: SigningKey, action: 'create' | 'update', name = me()) =>
  known.refusal('system_config', 'sys_config_exec_tx', {
    actions: { [`users/${name}/doc`]: { action, value: documentOf(key) } },
  }, token)

sudo.before(plain(async () => {
  known = await knownZone()
  person = known.platform.keys.generate(systemRandom)
}))
sudo.after(() => known?.remove())

sudo('item 1: before a user has a key, nothing signs for sudo', plain(async () => {
  assert.is((await set(sign())).reason, 'token/unknown-key')
  // Nobody gives themselves a first key: neither by a session nor by that very key
  assert.is((await writeDocument(known.pair.session_token, person, 'create')).reason, 'rbac/sudo-only')
  assert.is((await writeDocument(sign(), person, 'create')).reason, 'token/unknown-key')
  assert.is((await writeDocument(root(), person, 'create')).code, '')
}))

sudo('item 1: refused without sudo, allowed with it', plain(async () => {
  const refused = await set(known.pair.session_token)
  assert.equal([refused.code, refused.reason], ['Denied', 'rbac/sudo-only'])
  assert.is((await set(sign())).code, '')
  const read = await known.client('system_config', known.pair.session_token)
    .call('sys_config_get', { key: keySettings() }) as { value: string }
  assert.is(read.value, '{"a":1}', 'what sudo wrote an ordinary session reads')
}))

sudo('item 1: sudo adds to what its user may, and the policy says what', plain(async () => {
  // What needs no sudo, it may do as well
  assert.is((await set(sign(), `users/${me()}/notes`)).code, '')
  for (const key of ['users/somebody/key_settings', 'nodes/ood1/config']) {
    const refused = await set(sign(), key)
    assert.match(refused.reason, /^(sudo\/no-rule|rbac\/)/, key)
  }
  const refused = await set(sign(), 'boot/config')
  assert.is(refused.reason, 'rbac/root-only')
  const explained = await known.client('node-daemon', known.pair.session_token)
    .call('explain', { id: refused.details['denial'] }) as { chain: { layer: string; verdict: string }[] }
  assert.equal(explained.chain.slice(0, 2).map(({ layer, verdict }) => `${layer} ${verdict}`), [
    'link allowed', 'token allowed',
  ])
}))

sudo('item 1: a sudo token is good once, however many bring it at once', plain(async () => {
  const token = sign()
  assert.is((await set(token)).code, '')
  assert.is((await set(token)).reason, 'token/replayed')
  const raced = sign()
  const seen = await Promise.all(Array.from({ length: 12 }, () => set(raced)))
  assert.equal(seen.map(({ reason }) => reason || 'let in').sort(), [
    'let in', ...Array.from({ length: 11 }, () => 'token/replayed'),
  ])
}))

sudo('item 1: a sudo token is no session, no refresh token, no login and no cookie', plain(async () => {
  const hub = (method: string, params: object) => known.refusal('verify-hub', method, params)
  for (const aud of ['verify-hub', 'console', 'gateway']) {
    const own = () => sign({ aud: [aud] })
    assert.is((await hub('verify_token', { session_token: own(), appid: aud })).reason, 'token/use', aud)
    assert.is((await hub('refresh_token', { refresh_token: own() })).reason, 'token/use', aud)
    assert.is((await hub('login_by_jwt', { jwt: own() })).reason, 'token/use', aud)
    assert.is((await hub('logout', { refresh_token: own() })).reason, 'token/use', aud)
    assert.is((await set(own())).reason, 'token/audience', aud)
  }
  const { hostname, port } = known.zone.address
  const response = await fetch(`http://${hostname}:${port}/kapi/system_config`, {
    method: 'POST', headers: { 'content-type': 'application/json', cookie: `buckyos_session_token=${sign()}` },
    body: JSON.stringify({ method: 'sys_config_set', params: { key: keySettings(), value: '{}' }, sys: [1] }),
  })
  assert.is((await response.json() as { details: { reason: string } }).details.reason, 'token/absent')
  // And what is no sudo token is none by the key that signs it
  for (const use of ['session', 'root'] as const) {
    const forged = known.sign(person, use, { iss: me(), sub: me(), aud: ['system-config'], sid: 's' })
    assert.is((await set(forged)).reason, 'token/key-reason', use)
  }
}))

sudo('item 1: it speaks for its user alone, to one verifier, for three minutes', plain(async () => {
  assert.is((await set(sign({ sub: 'root' }))).reason, 'token/subject')
  assert.is((await set(sign({ sub: `su_${me()}` }))).reason, 'token/subject')
  assert.is((await set(sign({ iss: `su_${me()}`, sub: `su_${me()}` }))).reason, 'token/unknown-key')
  assert.is((await set(sign({ aud: ['system-config', 'scheduler'] }))).reason, 'token/audience')
  const now = known.nowSeconds()
  assert.is((await set(sign({ iat: now, exp: now + 181 }))).reason, 'token/lifetime')
  const late = await set(sign({ iat: now - 600, exp: now - 420 }))
  assert.is(late.reason, 'token/expired')
  assert.ok(Math.abs(Number(late.details['issuedAgoSeconds']) - 600) < 5, JSON.stringify(late.details))
}))

sudo('item 1: a user replaces the own key by sudo, and the old one signs no more', plain(async () => {
  const next = known.platform.keys.generate(systemRandom)
  assert.is((await writeDocument(known.pair.session_token, next, 'update')).reason, 'rbac/sudo-only')
  assert.not((await writeDocument(sign(), next, 'update', 'somebody')).code === '', 'the document of another')
  const old = sign()
  assert.is((await writeDocument(sign(), next, 'update')).code, '')
  assert.is((await set(old)).reason, 'token/unknown-key', 'signed before, not used')
  assert.is((await set(sign())).reason, 'token/unknown-key')
  assert.is((await set(sign({}, next))).code, '')
}))

sudo.run()
