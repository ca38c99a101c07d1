/** Streams by kRPC, and the pages for programs that watch over a zone, in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import type { HttpResponse } from '../runtime/platform/ports.ts'
import { kv } from '../actors/records.ts'
import { type Change, inLiveZone, type LiveZone, failingUnless } from './actors/live-zone.ts'
import { ask, loggedIn } from './krpc-fixture.ts'

const streams = suite('kRPC streams')

interface Line {
  readonly item?: { readonly key: string; readonly value: string; readonly revision: number; readonly type: string }
  readonly end?: boolean
  readonly error?: string
  readonly code?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly sys?: readonly unknown[]
}

/** The lines of one stream, as they are read; a blank one is undefined. */
class Lines {
  readonly #pieces: AsyncIterator<string>
  constructor({ status, headers, body }: HttpResponse) {
    assert.is(`${status} ${headers['content-type']}`, '200 application/x-ndjson')
    this.#pieces = (body as AsyncIterable<string>)[Symbol.asyncIterator]()
  }
  /** Of the piece that comes next; there is one a line. */
  async next(): Promise<Line | undefined> {
    const { done, value } = await this.#pieces.next()
    if (done) throw new Error('The stream has ended')
    assert.ok(value.endsWith('\n') && value.indexOf('\n') === value.length - 1, JSON.stringify(value))
    return value === '\n' ? undefined : JSON.parse(value) as Line
  }
  async isOver(): Promise<boolean> {
    return (await this.#pieces.next()).done === true
  }
  leave(): Promise<unknown> {
    return this.#pieces.return!()
  }
}

const open = async (
  live: LiveZone, params: object, token: string | null, method = 'sys_config_watch', service = 'system_config',
): Promise<Lines> =>
  new Lines(await ask(live, `/kapi/${service}/stream`, JSON.stringify({ method, params, sys: [5, token, 'trace'] })))

streams('a watch gives each change once and in order, and a blank line while there is none', async () => {
  await inLiveZone(async (live) => {
    const { client, pair, username } = await loggedIn(live)
    const mine = `users/${username}/notes`
    const config = client('system_config')
    const first = await config.call('sys_config_create', { key: `${mine}/0`, value: '0' }) as { revision: number }
    const lines = await open(live, { prefix: `kv://${mine}`, after: first.revision }, pair.session_token)
    const later = await open(live, { prefix: mine }, pair.session_token)
    await live.pause(100)
    for (let index = 1; index <= 20; index++) {
      await config.call('sys_config_create', { key: `${mine}/${index}`, value: String(index) })
    }
    await config.call('sys_config_delete', { key: `${mine}/3` })
    for (const each of [lines, later]) {
      for (let index = 1; index <= 20; index++) assert.is((await each.next())?.item?.value, String(index))
      const deleted = await each.next()
      assert.is(`${deleted?.item?.type} ${deleted?.item?.key}`, `delete ${mine}/3`)
      const before = live.world.clock.now()
      assert.is(await each.next(), undefined)
      assert.ok(live.world.clock.now() - before <= limits.krpcHeartbeatMs + 1_000)
      await each.leave()
    }
  })
})

streams('a stream says how it ended: refused, of no such method, or by the end of its token', async () => {
  await inLiveZone(async (live) => {
    const { pair, username } = await loggedIn(live)
    const prefix = `users/${username}`
    const cases = [
      [{ prefix }, null, 'sys_config_watch', /^Denied Invalid token: The call needs a token/],
      [{ prefix: 'security' }, pair.session_token, 'sys_config_watch', /^Denied No permission:/],
      [{ prefix: '../a' }, pair.session_token, 'sys_config_watch', /^InvalidKey Parse Request Error: /],
      [{}, pair.session_token, 'sys_config_watch', /^InvalidArgument Parse Request Error: /],
      [{ prefix }, pair.session_token, 'sys_config_get', /^UnknownMethod Unknown method: sys_config_get/],
    ] as const
    for (const [params, token, method, shape] of cases) {
      const lines = await open(live, params, token, method)
      const last = await lines.next()
      assert.match(`${last?.code} ${last?.error}`, shape)
      assert.is(last?.sys?.join(), '5,trace')
      assert.ok(await lines.isOver())
    }
    const fault = await ask(live, '/kapi/system_config/stream', '{"method":1}')
    assert.match(String(fault.body), /"code":"InvalidArgument"/)
    const lines = await open(live, { prefix }, pair.session_token)
    let last = await lines.next()
    while (last === undefined) last = await lines.next()
    assert.match(last.error ?? '', /^Token expired:/)
    assert.ok(live.world.clock.now() >= pair.session_expires * 1_000)
    assert.ok(await lines.isOver())
  })
})

streams('streams are counted: one more than may be is refused for now, and one that is left makes place', async () => {
  await inLiveZone(async (live) => {
    const { pair, username } = await loggedIn(live)
    const body = JSON.stringify({
      method: 'sys_config_watch', params: { prefix: `users/${username}` }, sys: [1, pair.session_token],
    })
    const openOne = (): Promise<HttpResponse> => ask(live, '/kapi/system_config/stream', body)
    const opened = await Promise.all(Array.from({ length: limits.krpcStreams }, openOne))
    assert.ok(opened.every(({ status }) => status === 200))
    const refused = await openOne()
    assert.is(`${refused.status} ${refused.headers['retry-after']}`, '503 1')
    assert.match(String(refused.body), /"error":"Failed due to reason: .*","code":"Overloaded"/)
    await new Lines(opened[0]!).leave()
    await live.pause(10)
    assert.is((await openOne()).status, 200)
  })
})

streams('a gateway that stops tells its streams', async () => {
  await inLiveZone(async (live) => {
    const { pair, username } = await loggedIn(live)
    const lines = await open(live, { prefix: `users/${username}` }, pair.session_token)
    await live.pause(100)
    await live.setPath(kv.node(live.zone.config.host), '/services/gateway/target', 'stopped')
    const last = await lines.next()
    assert.is(`${last?.code} ${last?.error}`, 'Unavailable Service not valid: system_config')
    assert.ok(await lines.isOver())
  })
})

streams('a flood of calls is refused in the form of the envelope, and what waits too long as well', async () => {
  const hanging: Change = (definition) => ({
    ...definition,
    async start(start) {
      const serving = await definition.start(start) as { handlers: object }
      return { ...serving, handlers: { ...serving.handlers, krpc: () => new Promise(() => {}) } } as never
    },
  })
  await inLiveZone(async (live) => {
    const count = limits.mailbox + 200
    const answers = await Promise.all(Array.from({ length: count }, () =>
      ask(live, '/kapi/node-daemon', '{"method":"ps","sys":[42]}')))
    const codes = new Map<string, number>()
    for (const { status, headers, body } of answers) {
      const { error, code, sys } = JSON.parse(String(body)) as Line
      assert.is(`${status} ${headers['retry-after']} ${sys?.join()}`, '503 1 42')
      assert.match(error ?? '', /^Failed due to reason: /)
      codes.set(code!, (codes.get(code!) ?? 0) + 1)
    }
    assert.is([...codes.keys()].sort().join(), 'DeadlineExceeded,Overloaded')
    assert.ok(codes.get('DeadlineExceeded')! <= limits.mailbox + 64)
    assert.is((await ask(live, '/livez', '', { method: 'GET' })).status, 200)
  }, { 'node-daemon': hanging })
})

const probes = suite('probes')

const get = (live: LiveZone, path: string, more: object = {}): Promise<HttpResponse> =>
  ask(live, path, '', { method: 'GET', ...more })

probes('a zone that runs is ready; one whose service does not serve is alive, and not ready', async () => {
  let healthy = true
  const failing = failingUnless(() => healthy)
  await inLiveZone(async (live) => {
    const statuses = async (): Promise<string> =>
      (await Promise.all(['/livez', '/readyz', '/healthz'].map(async (path) => (await get(live, path)).status))).join()
    assert.is(await statuses(), '200,200,200')
    healthy = false
    await live.zone.kill('service')
    await live.pause(3_000)
    assert.is(await statuses(), '200,503,503')
    healthy = true
    await live.pause(60_000)
    assert.is(await statuses(), '200,200,200')
    await live.setPath(kv.node(live.zone.config.host), '/services/service/target', 'stopped')
    await live.pause(1_000)
    assert.is(await statuses(), '200,200,200', 'it is meant to be stopped')
    for (const path of ['/livez', '/readyz', '/metrics']) assert.is((await ask(live, path)).status, 405, path)
  }, { service: failing })
})

probes('metrics are for this machine: not for others, and not through a proxy', async () => {
  await inLiveZone(async (live) => {
    const own = { remoteAddress: '127.0.0.1' }
    const metrics = await get(live, '/metrics', own)
    assert.is(metrics.status, 200)
    assert.is(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.is((await get(live, '/metrics', { remoteAddress: '::1' })).status, 200)
    for (const host of ['localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080'])
      assert.is((await get(live, '/metrics', { ...own, headers: { host } })).status, 200, host)
    assert.is((await get(live, '/metrics', { remoteAddress: '::ffff:127.0.0.1' })).status, 200)
    for (const more of [
      { remoteAddress: '192.0.2.7' }, { remoteAddress: '127.0.0.1.example' }, { remoteAddress: '' },
      { remoteAddress: '192.0.2.7', headers: { 'x-forwarded-for': '127.0.0.1' } },
      { ...own, headers: { 'x-forwarded-for': '127.0.0.1' } }, { ...own, headers: { forwarded: 'for=127.0.0.1' } },
      { ...own, headers: { via: '1.1 proxy' } },
      // A name of another site that was made to lead to this machine
      { ...own, headers: { host: 'rebound.example:8080' } }, { ...own, headers: { host: '127.0.0.1.example' } },
    ]) assert.is((await get(live, '/metrics', more)).status, 403)
  })
})

streams.run()
probes.run()
