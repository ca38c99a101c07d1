/** The rotation of verify-hub's key by the command line, on a zone of its own. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'
import { OriginalsClient, type Pair, type Post } from './krpc-client.ts'

let zone: LiveCommandLine
let origin = ''

test.before(async () => {
  zone = await liveZone()
  origin = new URL(String((await zone.json('status'))['url'])).origin
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const OWNER = ['--owner-key', './.zone/owner.key']
const rotate = (...words: readonly string[]) => ['keys', 'rotate', 'verify-hub', ...OWNER, ...words]

const post: Post = async (path, body) => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(origin + path, { method: 'POST', body, headers })
  return { status: response.status, text: await response.text() }
}
const hub = new OriginalsClient(post, 'verify-hub')
const login = (): Promise<Pair> => hub.call('login_by_password', {
  type: 'password', username: 'owner', password: zone.password, appid: 'console',
}) as Promise<Pair>
/** As a resource server that has just started. */
const verdict = ({ session_token: token }: Pair): Promise<string> =>
  jwtVerify(token, createRemoteJWKSet(new URL('/oauth/jwks', origin)), { audience: 'console' })
    .then(({ protectedHeader }) => String(protectedHeader.kid), (error: { code?: string }) => String(error.code))

interface Key { readonly kid: string; readonly version: number; readonly accepted: boolean; readonly signs: boolean }
const keysOf = (told: Record<string, unknown>): (readonly [number, boolean, boolean])[] =>
  (told['keys'] as Key[]).map(({ version, accepted, signs }) => [version, accepted, signs])

test('a key is announced, both are accepted, and the old one is retired: what was refreshed lives on', async () => {
  assert.equal(keysOf(await zone.json('keys')), [[1, true, true]])
  const before = await login()
  const oldKid = await verdict(before)

  const announced = await zone.json(...rotate('--yes'))
  assert.equal([announced['stage'], announced['changed']], ['new key signs', true])
  assert.equal(keysOf(announced), [[1, true, false], [2, true, true]])
  const newKid = (announced['keys'] as Key[])[1]!.kid
  const between = await login()
  assert.equal([await verdict(before), await verdict(between)], [oldKid, newKid])
  const refreshed = await hub.call('refresh_token', { refresh_token: before.refresh_token }) as Pair
  assert.equal([await verdict(refreshed), refreshed.sid], [newKid, before.sid])
  const again = await zone.json(...rotate('--stage', 'announce', '--yes'))
  assert.equal([again['changed'], keysOf(again)], [false, keysOf(announced)])

  const failure = await zone.fails(35, ...rotate('--yes'))
  assert.is(failure.code, 'KeyInUse')
  assert.match(failure.message, /another 7 d|another 6 d 23 h/)
  assert.match(failure.next!, /--now/)
  const text = await zone.run('keys', 'list')
  assert.match(text.stdout, /version +key +accepted +signs +made\n +1 .*yes +no .*\n +2 .*yes +yes /)
  assert.match(text.stdout, /In (7 d|6 d 23 h).*\n.* keys rotate verify-hub --owner-key FILE/)

  const retired = await zone.json(...rotate('--now', '--yes'))
  assert.equal([retired['stage'], retired['changed'], keysOf(retired)], ['one key', true, [[2, true, true]]])
  assert.equal([await verdict(before), await verdict(refreshed)], ['ERR_JWKS_NO_MATCHING_KEY', newKid])
  const refused = await hub.refusal('verify_token', { session_token: before.session_token })
  assert.equal([refused.status, refused.details['reason']], [401, 'token/unknown-key'])
  const config = new OriginalsClient(post, 'system_config', before.session_token)
  assert.is((await config.refusal('sys_config_get', { key: 'boot/config' })).details['reason'], 'token/unknown-key')
  config.token = refreshed.session_token
  const boot = await config.call('sys_config_get', { key: 'boot/config' }) as { value: string }
  assert.is((JSON.parse(boot.value) as { verifyHub: unknown[] }).verifyHub.length, 1)
  assert.is((await zone.json('kv', 'get', 'boot/config'))['key'], 'boot/config', 'the login of the command line lives')
})

test('services log in again, and verify-hub comes back with the new key', async () => {
  assert.is((await zone.run('kill', 'verify-hub')).exitCode, 0)
  await zone.json('services', 'restart', 'service')
  const status = await zone.json('status')
  assert.is(status['healthy'], true)
  assert.equal(keysOf(await zone.json('keys')), [[2, true, true]])
  assert.match(await verdict(await login()), /^[\w-]{43}$/)
})

test('another key than the owner key changes nothing, and neither does whoever is not logged in', async () => {
  const { begin } = zone
  writeFileSync(join(zone.cwd, 'words'), 'no key')
  assert.is((await zone.fails(15, 'keys', 'rotate', 'verify-hub', '--owner-key', './words', '--yes')).code,
    'OwnerKeyNeeded')
  const device = await zone.fails(14, 'keys', 'rotate', 'verify-hub', '--owner-key', './.zone/device.key', '--yes')
  assert.is(device.code, 'Denied')
  assert.is((await zone.fails(2, ...rotate())).code, 'Usage', 'nobody is there to be asked')
  const asked = await begin([...rotate('--yes')].slice(0, 3)).ended
  assert.equal([asked.exitCode, asked.stderr.includes('--owner-key')], [2, true])
  const told = await zone.json('keys')
  assert.equal([told['stage'], keysOf(told)], ['prepared', [[2, true, true], [3, false, false]]])
  await zone.json('logout')
  assert.is((await zone.fails(18, 'keys')).code, 'NotLoggedIn')
})

test.run()
