import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Gateway } from '../../actors/gateway/protocol.ts'
import { kv } from '../../actors/records.ts'
import { Service } from '../../actors/service/protocol.ts'
import { krpcCall, krpcStream, type KrpcPort } from '../../boot/client/krpc.ts'
import { file } from '../../boot/init.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { inLiveZone, type LiveZone } from './live-zone.ts'

/** What a person may do to hosts: by kRPC at the node daemon, in a zone in virtual time. */
const test = suite('operating a zone')

const OWNER = 'owner'
const AUDIENCES = ['system-config', 'node-daemon']
const HOST = 'ood1'

const passwords = new WeakMap<LiveZone, string>()

/** As the command line speaks to it, from the same machine. */
async function portOf({ zone, world }: LiveZone): Promise<KrpcPort> {
  const { transport, clock } = world.startProcess(HOST).platform
  return { transport, clock, ...await zone.get(Gateway).address({}) }
}

async function login(live: LiveZone, audiences = AUDIENCES): Promise<string> {
  const first = await live.zone.firstPassword()
  if (first) passwords.set(live, first.password)
  const params = { type: 'password', username: OWNER, password: passwords.get(live), appid: 'console', audiences }
  const pair = await krpcCall(await portOf(live), { service: 'verify-hub', method: 'login_by_password', params })
  return (pair as { session_token: string }).session_token
}

const withToken = (token: string | undefined) => (token === undefined ? {} : { token })

const call = async (live: LiveZone, token: string | undefined, method: string, params: object = {}): Promise<unknown> =>
  krpcCall(await portOf(live), { service: 'node-daemon', method, params, ...withToken(token) })

async function* logs(live: LiveZone, token: string, params: object): AsyncIterable<unknown> {
  yield* krpcStream(await portOf(live), { service: 'node-daemon', method: 'logs', params, token })
}

/** `code reason`, and the last detail of its chain as an admin would read it. */
async function refusal(run: () => Promise<unknown>): Promise<{ what: string; denial: string }> {
  try {
    return { what: `answered ${JSON.stringify(await run())}`, denial: '' }
  } catch (error) {
    if (!(error instanceof ZonewrightError)) throw error
    const { reason = '', denial = '' } = error.details
    return { what: `${error.code} ${String(reason)}`.trim(), denial: String(denial) }
  }
}

const asRole = (live: LiveZone, type: 'admin' | 'user'): Promise<void> =>
  live.set(kv.user(OWNER), { name: OWNER, type, state: 'active' })

async function rootToken({ zone, world }: LiveZone, aud: string): Promise<string> {
  const { keys, clock, random } = world.startProcess('elsewhere').platform
  const pem = new TextDecoder().decode((await zone.files.read(file.ownerKey))!)
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.importPem(pem), {
    iss: 'root', sub: 'root', aud: [aud], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)), token_use: 'root',
    appid: 'console', runtime_type: 'user', epoch: 0,
  })
}

test('an admin sees what runs, kills it, reads the log, and has refusals explained', () => inLiveZone(async (live) => {
  const token = await login(live)
  const { hosts } = await call(live, token, 'ps') as { hosts: { host: string; actors: { name: string }[] }[] }
  assert.equal(hosts.map(({ host }) => host), ['ood1'])
  const before = live.zone.list().find(({ name }) => name === Service.name)!.incarnation
  assert.equal(await call(live, token, 'kill', { host: 'ood1', actor: 'service' }), {})
  await live.pause(2_000)
  const after = live.zone.list().find(({ name }) => name === Service.name)!
  assert.ok(after.incarnation > before)
  assert.is(after.restarts, 1)
  const { denial } = await refusal(() => call(live, undefined, 'ps'))
  const { chain } = await call(live, token, 'explain', { id: denial }) as { chain: { reason?: string }[] }
  assert.is(chain.at(-1)?.reason, 'token/absent')
  const lines: string[] = []
  for await (const line of logs(live, token, { host: 'ood1', actor: 'gateway' })) {
    lines.push((line as { actor: string }).actor)
  }
  assert.ok(lines.length > 0 && lines.every((actor) => actor === 'gateway'), lines.join(' '))
}))

test('every method asks for a session that is for this verifier, and for a right that has its own key', () =>
  inLiveZone(async (live) => {
    const other = await login(live, ['system-config'])
    for (const [token, what] of [[undefined, 'Denied token/absent'], [other, 'Denied token/audience']] as const) {
      for (const [method, params] of methods) {
        assert.is((await refusal(() => call(live, token, method, params))).what, what, method)
      }
    }
    const token = await login(live)
    await asRole(live, 'user')
    await live.pause(1_000)
    const refused: (readonly [string, string])[] = []
    for (const [method, params, key] of methods) {
      const { what, denial } = await refusal(() => call(live, token, method, params))
      assert.is(what, 'Denied rbac/no-rule', method)
      refused.push([denial, `subject ${OWNER}: ${key}`])
    }
    await asRole(live, 'admin')
    await live.pause(1_000)
    for (const [id, detail] of refused) {
      const { chain } = await call(live, token, 'explain', { id }) as { chain: { detail?: string }[] }
      assert.is(chain.at(-1)?.detail, detail)
    }
    assert.is((await refusal(() => call(live, token, 'ps', { host: 'nowhere' }))).what, 'NotFound')
    assert.is((await refusal(() => call(live, token, 'kill', { host: 'nowhere' }))).what, 'NotFound')
    assert.is((await refusal(() => call(live, token, 'kill', { host: '../x' }))).what, 'InvalidArgument')
    assert.is((await refusal(() => call(live, token, 'reboot'))).what, 'UnknownMethod')
  }))

const methods: readonly (readonly [method: string, params: object, key: string])[] = [
  ['ps', {}, 'read nodes/ood1/state'],
  ['kill', { host: 'ood1', actor: 'service' }, 'write nodes/ood1/control'],
  ['explain', { id: 'D-00000000' }, 'read nodes/ood1/logs'],
  ['migrate', {}, 'write nodes/ood1/control'],
  ['migration', {}, 'read nodes/ood1/state'],
  ['migration_plan', {}, 'write nodes/ood1/control'],
]

test('lines of log stop when the right, or the token, ends', () => inLiveZone(async (live) => {
  const follow = async (token: string): Promise<string> => {
    try {
      for await (const _ of logs(live, token, { follow: true, tail: 0 })) continue
      return 'ended'
    } catch (error) {
      return String((error as ZonewrightError).details['reason'])
    }
  }
  const right = follow(await login(live))
  await live.pause(6_000)
  await asRole(live, 'user')
  await live.pause(7_000)
  assert.is(await Promise.race([right, 'goes on']), 'rbac/no-rule')
  await asRole(live, 'admin')
  await live.pause(1_000)
  const token = follow(await login(live))
  await live.pause(14 * 60_000)
  assert.is(await Promise.race([token, 'goes on']), 'goes on')
  await live.pause(70_000)
  assert.is(await Promise.race([token, 'goes on']), 'token/expired')
}))

test('root is above the policy here, once, and not by a token from before a restart', () => inLiveZone(async (live) => {
  await live.pause(2_000)
  const early = await rootToken(live, 'node-daemon')
  assert.ok(await call(live, await rootToken(live, 'node-daemon'), 'ps'))
  assert.is((await refusal(async () => call(live, await rootToken(live, 'system-config'), 'ps'))).what,
    'Denied token/audience')
  const used = await rootToken(live, 'node-daemon')
  assert.ok(await call(live, used, 'ps'))
  await live.zone.kill('node-daemon')
  await live.pause(3_000)
  assert.is((await refusal(() => call(live, used, 'ps'))).what, 'Denied token/replayed', 'all OODs know of it')
  assert.is((await refusal(() => call(live, early, 'ps'))).what, 'Denied token/replay-unchecked')
  assert.ok(await call(live, await rootToken(live, 'node-daemon'), 'ps'))
}))

test.run()
