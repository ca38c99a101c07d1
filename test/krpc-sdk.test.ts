/** The wire of the originals' current SDK, by a small client that keeps its rules, at a zone in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inLiveZone, type LiveZone } from './actors/live-zone.ts'
import { ask, loggedIn } from './krpc-fixture.ts'

const sdk = suite('the wire of the originals\' SDK')

/** Counts on from a time, and takes every second member of `sys` for a new session token. */
class SdkClient {
  readonly #live: LiveZone
  readonly #path: string
  readonly #first: string | null
  #sequence: number
  token: string | null

  constructor(live: LiveZone, path: string, token: string | null, sequence = 1_796_000_000_000) {
    this.#live = live
    this.#path = path
    this.#first = token
    this.#sequence = sequence
    this.token = token
  }

  /** Before each login. */
  reset(): void {
    this.token = this.#first
  }

  async call(method: string, params: object): Promise<unknown> {
    const number = this.#sequence++
    const sys = this.token ? [number, this.token] : [number]
    const { status, body } = await ask(this.#live, this.#path, JSON.stringify({ method, params, sys }))
    if (status < 200 || status > 299) throw new Error(`status ${status}`)
    const answer = JSON.parse(String(body)) as { result?: unknown; error?: string; sys?: unknown }
    if (!Array.isArray(answer.sys) || answer.sys[0] !== number) throw new Error(`other sys: ${String(body)}`)
    if (answer.sys.length > 1) this.token = String(answer.sys[1])
    if (answer.error) throw new Error(`error ${answer.error}`)
    if (answer.result === undefined) throw new Error('no result')
    return answer.result
  }

  refused(method: string, params: object): Promise<string> {
    return this.call(method, params).then(
      (result) => `answered ${JSON.stringify(result)}`, (error: Error) => error.message)
  }
}

interface Given { readonly session_token: string; readonly refresh_token: string }
interface Value { readonly value: string; readonly version: number }

sdk('logs in, verifies, refreshes, reads and writes, and its token is never taken for another', async () => {
  await inLiveZone(async (live) => {
    const { username, password, pair } = await loggedIn(live)
    // As browsers have the path, and with a session that it had before
    const hub = new SdkClient(live, '/kapi/verify-hub/', pair.session_token)
    const login = { type: 'password', username, password, appid: 'console', source_url: 'http://console.zone.local/' }
    hub.reset()
    const given = await hub.call('login_by_password', login) as Given & { user_info: Record<string, unknown> }
    assert.is(given.user_info['user_id'], username)
    assert.is(given.user_info['show_name'], username)
    assert.ok(await hub.call('verify_token', { session_token: given.session_token }))
    assert.ok(await hub.call('verify_token', { session_token: given.session_token, appid: 'console' }))
    assert.is(await hub.refused('verify_token', { session_token: given.session_token, appid: 'web' }), 'status 401')
    const next = await hub.call('refresh_token', { refresh_token: given.refresh_token }) as Given
    assert.is.not(next.session_token, given.session_token)
    assert.is(hub.token, pair.session_token, 'no answer gave it another token')

    const config = new SdkClient(live, '/kapi/system_config', next.session_token, 7)
    const key = `users/${username}/sdk`
    assert.is(await config.call('sys_config_get', { key: `${key}/a` }), null)
    await config.call('sys_config_create', { key: `${key}/a`, value: '{}' })
    await config.call('sys_config_set', { key: `${key}/b`, value: 'b' })
    await config.call('sys_config_append', { key: `${key}/b`, append_value: '+' })
    await config.call('sys_config_set_by_json_path', { key: `${key}/a`, json_path: 'x/y', value: '1' })
    assert.is(JSON.stringify(await config.call('sys_config_list', { key })), '["a","b"]')
    const a = await config.call('sys_config_get', { key: `${key}/a` }) as Value
    assert.is(`${a.value} ${typeof a.version}`, '{"x":{"y":1}} number')
    const tx = { actions: { [`${key}/b`]: { action: 'remove' } }, main_key: `${key}/a:${a.version}` }
    await config.call('sys_config_exec_tx', tx)
    const stale = { actions: { [`${key}/a`]: { action: 'update', value: '' } }, main_key: `${key}/a:${a.version + 1}` }
    assert.match(await config.refused('sys_config_exec_tx', stale), /^error .*revision mismatch/)
    await config.call('sys_config_delete', { key: `${key}/a` })
    assert.match(await config.refused('sys_config_delete', { key: `${key}/a` }), /^error Key not exist: /)
    assert.is(await config.call('sys_refresh_trust_keys', {}), null)
    assert.is(config.token, next.session_token, 'no answer gave it another token')
  })
})

sdk('a refusal has no second member of sys either, whatever it is about', async () => {
  await inLiveZone(async (live) => {
    const { pair } = await loggedIn(live)
    const bodies = ['nonsense', '{"method":"m","sys":[5]}', '{"method":"m","extra":1,"sys":[5]}',
      '{"method":7,"sys":[5]}',
      `{"method":"sys_config_get","params":{"key":"security/x"},"sys":[5,"${pair.session_token}"]}`,
      '{"method":"sys_config_get","params":{"key":"boot/config"},"sys":[5,"none"]}']
    for (const service of ['system_config', 'verify-hub', 'scheduler', 'node-daemon', 'nobody']) {
      for (const body of bodies) {
        const { sys } = JSON.parse(String((await ask(live, `/kapi/${service}`, body)).body)) as { sys: unknown[] }
        assert.is(sys.length, 1, `${service} ${body}`)
        assert.is(typeof sys[0], 'number')
      }
    }
  })
})

sdk('a main_key that is text is compared like an object, and is cut at its last colon', async () => {
  await inLiveZone(async (live) => {
    const { client, username } = await loggedIn(live)
    const config = client('system_config')
    const key = `users/${username}/a`
    const tx = (action: string, mainKey: string): [string, object] =>
      ['sys_config_exec_tx', { actions: { [key]: { action, value: action } }, main_key: mainKey }]
    const ends = ['', ':', ':x', ':-1', ':01', ':1.5', ':1e1', ': 0', ':0 ', ':9007199254740992']
    for (const text of ['', ':', ':0', ...ends.map((end) => key + end)]) {
      const refused = await config.refusal(...tx('create', text))
      assert.match(`${refused.code} ${refused.message}`, /^Invalid(Argument|Key) /, text)
    }
    // A key that has a colon itself
    const colon = `users/${username}/b:7`
    await config.call('sys_config_create', { key: colon, value: '' })
    assert.match((await config.refusal(...tx('create', `${colon}:1`))).message, /mismatch for key .*b:7: expected 1/)
    await config.call(...tx('create', `kv://${key}:0`))
    const { version } = await config.call('sys_config_get', { key }) as { version: number }
    for (const stale of [0, version - 1, version + 1]) {
      const refused = await config.refusal(...tx('update', `${key}:${stale}`))
      assert.is(refused.code, 'RevisionMismatch')
      assert.equal(refused.details, { key, expected: stale, actual: version })
    }
    assert.is((await config.call('sys_config_get', { key }) as { value: string }).value, 'create')
    await config.call(...tx('update', `obj://config/${key}:${version}`))
    assert.is((await config.call('sys_config_get', { key }) as { value: string }).value, 'update')
  })
})

sdk.run()
