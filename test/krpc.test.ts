/** kRPC by HTTP, at a zone in virtual time: the envelope, what is refused and how, keys, and the scheduler. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StoreDamaged } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { HttpRequest } from '../runtime/platform/ports.ts'
import { type Change, inLiveZone, failingUnless } from './actors/live-zone.ts'
import { firstMinute, firstMinuteSeen, type Pair, type RpcError } from './krpc-client.ts'
import { ask, loggedIn, postTo } from './krpc-fixture.ts'

const krpc = suite('kRPC')

krpc('a client of the originals logs in, refreshes, verifies, reads and writes', async () => {
  await inLiveZone(async (live) => {
    const user = (await live.zone.firstPassword())!
    assert.is((await firstMinute(postTo(live), user)).join('\n'), firstMinuteSeen(user.username).join('\n'))
  })
})

const envelope = (members: object): string =>
  JSON.stringify({ method: 'sys_config_get', params: {}, sys: [7], ...members })
const deep = (levels: number): string =>
  `{"method":"m","params":{"a":${'['.repeat(levels)}${']'.repeat(levels)}},"sys":[7]}`

/** A body that is no envelope, and what of the reason is told. */
const faults: readonly (readonly [body: string | Uint8Array, told: RegExp, sequence: number])[] = [
  ['', /not JSON/, 0],
  ['nonsense', /not JSON/, 0],
  ['{"method":"m"', /not JSON/, 0],
  ['\ufeff{"method":"m","sys":[7]}', /not JSON/, 0],
  [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), /not UTF-8/, 0],
  // A surrogate pair in UTF-8, and an overlong slash
  [Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), /not UTF-8/, 0],
  [Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), /not UTF-8/, 0],
  ['[]', /not an object/, 0],
  ['null', /not an object/, 0],
  ['"text"', /not an object/, 0],
  ['{"method":"m","method":"n","sys":[7]}', /there twice: "method"/, 0],
  ['{"method":"m","params":{"a":1,"\\u0061":2},"sys":[7]}', /there twice: "a"/, 0],
  ['{"method":"m","params":{"__proto__":{"a":1}},"sys":[7]}', /reserved name: __proto__/, 0],
  ['{"method":"m","params":{"a":[{"constructor":1}]},"sys":[7]}', /reserved name: constructor/, 0],
  ['{"method":"m","params":{"\\u0070rototype":1},"sys":[7]}', /reserved name: prototype/, 0],
  [deep(limits.krpcDepth - 1), /more than 64 levels/, 0],
  [envelope({ extra: 1 }), /besides method, params and sys: "extra"/, 7],
  [envelope({ method: undefined }), /method must be text/, 7],
  [envelope({ method: 7 }), /method must be text/, 7],
  [envelope({ method: '' }), /method must be text/, 7],
  [envelope({ method: 'm'.repeat(65) }), /method must be text/, 7],
  [envelope({ params: [] }), /params must be an object/, 7],
  [envelope({ params: 'key' }), /params must be an object/, 7],
  [envelope({ sys: {} }), /sys must be an array/, 0],
  [envelope({ sys: null }), /sys must be an array/, 0],
  [envelope({ sys: [7, null, 't', 1] }), /sys must be an array/, 0],
  [envelope({ sys: [] }), /sys.0 must be a whole number/, 0],
  [envelope({ sys: ['7'] }), /sys.0 must be a whole number/, 0],
  [envelope({ sys: [-1] }), /sys.0 must be a whole number/, 0],
  [envelope({ sys: [1.5] }), /sys.0 must be a whole number/, 0],
  ['{"method":"m","sys":[18446744073709551615]}', /sys.0 must be a whole number/, 0],
  [envelope({ sys: [7, 8] }), /sys.1 must be a token or null/, 7],
  [envelope({ sys: [7, null, 8] }), /sys.2 must be a trace id/, 7],
  [envelope({ sys: [7, null, ''] }), /sys.2 must be a trace id/, 7],
  [envelope({ sys: [7, null, 'a\nb'] }), /sys.2 must be a trace id/, 7],
]

krpc('a body that is no envelope is refused in the form of one, and says what is wrong', async () => {
  await inLiveZone(async (live) => {
    for (const [service, status] of [['system_config', 200], ['scheduler', 400]] as const) {
      for (const [body, told, sequence] of faults) {
        const answer = await ask(live, `/kapi/${service}`, body)
        const { error, code, sys } = JSON.parse(String(answer.body)) as { error: string; code: string; sys: number[] }
        const what = `${service}: ${String(body).slice(0, 80)}`
        assert.is(answer.status, status, what)
        assert.is(code, 'InvalidArgument', what)
        assert.match(error, /^Parse Request Error: /, what)
        assert.match(error, told, what)
        assert.is(sys.join(), String(sequence), what)
      }
    }
    const fits = await ask(live, '/kapi/system_config', deep(limits.krpcDepth - 2))
    assert.match(String(fits.body), /Unknown method: m/)
  })
})

krpc('number and trace id come back; parameters, token and sys may be absent', async () => {
  await inLiveZone(async (live) => {
    for (const [body, sys] of [
      ['{"method":"m"}', '[0]'], ['{"method":"m","params":null,"sys":[3]}', '[3]'],
      ['{"method":"m","sys":[9007199254740991,null,"trace-1"]}', '[9007199254740991,"trace-1"]'],
      ['{"method":"m","sys":[3,"","trace-1"]}', '[3,"trace-1"]'],
    ] as const) {
      const answer = JSON.parse(String((await ask(live, '/kapi/verify-hub', body)).body)) as Record<string, unknown>
      assert.is(JSON.stringify(answer['sys']), sys)
      assert.is(answer['error'], 'Unknown method: m')
      assert.is(answer['code'], 'UnknownMethod')
    }
  })
})

krpc('what never comes to an actor has its HTTP status and a body that a client can read', async () => {
  await inLiveZone(async (live) => {
    const tooLong = ' '.repeat(limits.httpBodyBytes + 1)
    const text = { headers: { 'content-type': 'text/plain' } }
    const cases: readonly (readonly [path: string, status: number, code: string, body: string, more?: object])[] = [
      ['/kapi/nobody', 404, 'NotFound', '{}'],
      ['/kapi/vault', 404, 'NotFound', '{}'],
      ['/kapi/__proto__', 404, 'NotFound', '{}'],
      ['/kapi/nobody/', 404, 'NotFound', '{}'],
      ['/kapi/system_config//', 404, '', '{}'],
      ['/kapi/system_config/stream/', 404, '', '{}'],
      ['/kapi/system_config/other', 404, '', '{}'],
      ['/kapi/verify-hub/stream', 404, 'NotFound', '{}'],
      ['/kapi/system%5fconfig', 404, 'NotFound', '{}'],
      ['/kapi/system_config', 405, 'MethodNotAllowed', '', { method: 'GET' }],
      ['/kapi/system_config', 405, 'MethodNotAllowed', '', { method: 'OPTIONS' }],
      ['/kapi/system_config', 413, 'LimitExceeded', tooLong],
      ['/kapi/system_config', 415, 'UnsupportedMediaType', '{"method":"m"}', text],
      ['/kapi/system_config', 415, 'UnsupportedMediaType', '{"method":"m"}', { headers: {} }],
    ]
    for (const [path, status, code, body, more = {}] of cases) {
      const answer = await ask(live, path, body, more as Partial<HttpRequest>)
      assert.is(answer.status, status, path)
      if (code === '') continue
      assert.is(answer.headers['content-type'], 'application/json', path)
      assert.is((JSON.parse(String(answer.body)) as { code: string }).code, code, path)
    }
    const typed = { headers: { 'content-type': 'application/json; charset=utf-8' } }
    assert.is((await ask(live, '/kapi/system_config', '{"method":"m"}', typed)).status, 200)
    assert.is((await ask(live, '/kapi/system_config/', '{"method":"m"}', typed)).status, 200, 'as browsers have it')
  })
})

krpc('refusals have the display text of the originals, our code, and the id that explain takes', async () => {
  await inLiveZone(async (live) => {
    const { client, hub, pair, login } = await loggedIn(live)
    const config = client('system_config')
    const key = 'users/nobody/settings'
    const long = 'x'.repeat(limits.token + 1)
    const service = { session_token: pair.session_token, appid: 'service' }
    const cases: readonly (readonly [refusal: Promise<RpcError>, shape: RegExp])[] = [
      [config.refusal('nothing', {}), /^200 UnknownMethod Unknown method: nothing$/],
      [config.refusal('constructor', {}), /^200 UnknownMethod Unknown method: constructor$/],
      [config.refusal('sys_config_get', {}), /^200 InvalidArgument Parse Request Error: .*key/],
      [config.refusal('sys_config_get', { key, other: 1 }), /^200 InvalidArgument Parse Request Error: .*other/],
      [config.refusal('sys_config_set', { key: 'boot/config', value: '' }), /^200 Denied No permission:/],
      [config.refusal('sys_config_append', { key: 'users/root/a', append_value: '' }), /^200 (Denied|KeyNotFound) /],
      [client('system_config', null).refusal('sys_config_get', { key }), /^200 Denied Invalid token: The call needs/],
      [client('system_config', 'x.y.z').refusal('sys_config_get', { key }), /^200 Denied Invalid token: /],
      [client('system_config', long).refusal('sys_config_get', { key }), /^200 Denied Invalid token: .*long/],
      [client('system_config', pair.refresh_token).refusal('sys_config_get', { key }), /^200 Denied Invalid token: /],
      [hub.refusal('login_by_password', { ...login, password: 'wrong' }), /^401 InvalidPassword Invalid password$/],
      [hub.refusal('login_by_password', { ...login, username: 'nobody' }), /^401 InvalidPassword Invalid password$/],
      [hub.refusal('login_by_password', { ...login, type: 'jwt' }), /^400 InvalidArgument Parse Request Error: /],
      [hub.refusal('login_by_password', { ...login, login_nonce: -1 }), /^400 InvalidArgument .*login_nonce/],
      [hub.refusal('login_by_password', { ...login, app_instance_id: 'b@a' }), /^400 InvalidArgument .*another app/],
      [hub.refusal('login_by_password', { ...login, appid: 'scheduler' }), /^403 Denied No permission:/],
      [hub.refusal('login_by_password', { ...login, audiences: ['vault'] }), /^403 Denied No permission:/],
      [hub.refusal('verify_token', { session_token: 'x' }), /^401 Denied Invalid token: /],
      [hub.refusal('verify_token', service), /^401 Denied Invalid token:/],
      [client('scheduler', null).refusal('run_thunk', {}), /^401 Denied Invalid token: The call needs a token$/],
    ]
    for (const [refusal, shape] of cases) {
      const { status, code, message } = await refusal
      assert.match(`${status} ${code} ${message}`, shape)
    }
    const denied = await config.refusal('sys_config_get', { key: 'security/x' })
    assert.match(String(denied.details['denial']), /^D-[0-9a-f]{8}$/)
    assert.is(denied.details['reason'], 'rbac/root-only')
    const told = await client('node-daemon').call('explain', { id: denied.details['denial'] }) as { chain: unknown[] }
    assert.is(told.chain.length, 3)
    // Virtual time: the session is over
    await live.pause(16 * 60_000)
    assert.match((await config.refusal('sys_config_get', { key })).message, /^Token expired:/)
  })
})

krpc('a key has one spelling: what escapes or could be read in two ways is refused, never tidied', async () => {
  await inLiveZone(async (live) => {
    const { client, username } = await loggedIn(live)
    const config = client('system_config')
    const mine = `users/${username}`
    for (const key of [
      '', '/', `/${mine}/a`, `${mine}/`, `${mine}//a`, `${mine}/../root/settings`, `${mine}/./a`, '..', '../a',
      `kv://kv://${mine}/a`, `kv:///${mine}/a`, `obj://config//${mine}/a`, `obj://config/kv://${mine}/a`,
      `kv://obj://config/${mine}/a`, `${mine}\\a`, `${mine}/a\u0000`, `${mine}/a b`, `${mine}/%2e%2e/b`, `${mine}/ä`,
      `${mine}/a?b`, `${mine}/*`, '__meta/revision/a', `${mine}/constructor`, `${mine}/${'a'.repeat(2_000)}`,
    ]) {
      const refused = await config.refusal('sys_config_get', { key })
      assert.is(refused.code, 'InvalidKey', key)
      assert.match(refused.message, /^Parse Request Error: /, key)
      assert.match((await config.refusal('sys_config_set', { key, value: '' })).code, /InvalidKey/, key)
      const actions = { [key]: { action: 'create', value: '' } }
      assert.match((await config.refusal('sys_config_exec_tx', { actions })).code, /^Invalid(Key|Argument)$/, key)
    }
    const [a, b] = [`${mine}/a`, `kv://${mine}/a`]
    const twice = { actions: { [a]: { action: 'create', value: '' }, [b]: { action: 'create', value: '' } } }
    assert.is((await config.refusal('sys_config_exec_tx', twice)).code, 'InvalidKey')
    const alias = { actions: { [`obj://config/${a}`]: { action: 'create', value: '' }, [b]: { action: 'remove' } } }
    assert.is((await config.refusal('sys_config_exec_tx', alias)).code, 'InvalidArgument')
    assert.is(await config.call('sys_config_get', { key: a }), null)
  })
})

krpc('who may read gets the dump, the check and the trust keys; who may not is told so', async () => {
  await inLiveZone(async (live) => {
    const { client, username } = await loggedIn(live)
    const config = client('system_config')
    const own = { key: `users/${username}/a`, act: 'write' }
    assert.is(await config.call('sys_config_check', own), true)
    assert.is((await config.refusal('sys_config_check', { key: 'boot/config', act: 'write' })).code, 'Denied')
    assert.is(await config.call('sys_refresh_trust_keys', {}), null)
    assert.is((await client('system_config', null).refusal('sys_refresh_trust_keys', {})).code, 'Denied')
    // A console reads much, but not the system's own keys
    assert.match((await config.refusal('dump_configs_for_scheduler', {})).message, /^No permission:/)
  })
})

krpc('only a session that may operate the host runs the scheduler', async () => {
  await inLiveZone(async (live) => {
    const { client, hub, login, username } = await loggedIn(live)
    for (const method of ['run_thunk', 'refresh_rbac']) {
      const round = await client('scheduler').call(method, {}) as { revision: number; written: string[] }
      assert.ok(round.revision > 0)
      assert.is(round.written.length, 0)
    }
    const narrow = await hub.call('login_by_password', { ...login, audiences: ['system-config'] }) as Pair
    const refused = await client('scheduler', narrow.session_token).refusal('run_thunk', {})
    assert.is(`${refused.status} ${refused.details['reason']}`, '401 token/audience')
    await live.setPath(`users/${username}/settings`, '/type', 'user')
    await live.pause(2_000)
    const plain = await client('scheduler').refusal('run_thunk', {})
    assert.is(`${plain.status} ${plain.details['reason']}`, '403 rbac/no-rule')
    assert.match(plain.message, /^No permission:/)
  })
})

krpc('a scheduler that is down makes its own route 503 and nothing else, and is reached again', async () => {
  let healthy = true
  const failing = failingUnless(() => healthy)
  await inLiveZone(async (live) => {
    const { client, username } = await loggedIn(live)
    const gateway = (): number => live.zone.list().find(({ name }) => name === 'gateway')!.incarnation
    const before = gateway()
    healthy = false
    await live.zone.kill('scheduler')
    await live.pause(1_000)
    const away = await client('scheduler').refusal('run_thunk', {})
    assert.is(`${away.status} ${away.code} ${away.message}`, '503 Unavailable Service not valid: scheduler')
    assert.is(await client('system_config').call('sys_config_get', { key: `users/${username}/a` }), null)
    assert.is((await ask(live, '/readyz', '', { method: 'GET' })).status, 503)
    assert.is((await ask(live, '/livez', '', { method: 'GET' })).status, 200)
    healthy = true
    await live.pause(60_000)
    assert.ok(await client('scheduler').call('run_thunk', {}))
    assert.is(gateway(), before, 'the gateway was not restarted')
  }, { scheduler: failing })
})

krpc('headers and cookies say nothing about who speaks', async () => {
  await inLiveZone(async (live) => {
    const { pair, username } = await loggedIn(live)
    const headers = {
      'content-type': 'application/json', authorization: `Bearer ${pair.session_token}`, 'x-auth': pair.session_token,
      cookie: `buckyos_session_token=${pair.session_token}; session=${pair.session_token}`,
    }
    const body = JSON.stringify({ method: 'sys_config_get', params: { key: `users/${username}/a` }, sys: [1] })
    const query = `auth=${pair.session_token}`
    const answer = await ask(live, '/kapi/system_config', body, { headers, query })
    assert.match(String(answer.body), /The call needs a token/)
  })
})

krpc('an error that is no business of the caller is told without its text, and is in the log', async () => {
  const broken: Change = (definition) => ({
    ...definition,
    async start(start) {
      const serving = await definition.start(start) as { handlers: object }
      const krpcBroken = ({ method }: { method: string }) => Promise.reject(method === 'ps'
        ? new TypeError('A secret text') : new StoreDamaged('A secret text', { path: '/secret', reason: 'secret' }))
      return { ...serving, handlers: { ...serving.handlers, krpc: krpcBroken } } as never
    },
  })
  await inLiveZone(async (live) => {
    for (const method of ['ps', 'kill']) {
      const answer = await ask(live, '/kapi/node-daemon', JSON.stringify({ method, sys: [1] }))
      assert.is(answer.status, 500)
      assert.not.match(String(answer.body), /secret/)
      assert.match(String(answer.body), /"code":"Internal"/)
    }
    const told = live.logs.filter(({ actor }) => ['gateway', 'node-daemon'].includes(actor))
    assert.is(told.filter(({ message }) => message.includes('A secret text')).length, 2)
  }, { 'node-daemon': broken })
})

krpc.run()
