/** The command line and a zone that misbehaves: connections that are cut, tokens that end, answers that are none. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newFolder, removeFolders, start, zonewright, type Ended } from '../boot-fixtures/command-line.ts'

test.after(removeFolders)

interface Asked {
  readonly path: string
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly token: string | null
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
/** Only what a client reads of a token. */
const token = (name: string, lifeSeconds = 900): string => [
  encode({ alg: 'EdDSA', typ: 'zw-session+jwt', kid: 'k'.repeat(43) }),
  encode({ exp: Math.floor(Date.now() / 1000) + lifeSeconds, jti: name }), 'c2ln',
].join('.')

type Answer = (asked: Asked, response: ServerResponse) => void

interface Options { readonly terminal?: true; readonly times?: number; readonly session?: string }

/** Runs a command, or several at once, against a server that answers by the script. */
async function against(
  answer: Answer, args: readonly string[], { terminal, times = 1, session = token('first') }: Options = {},
): Promise<{ ended: Ended; all: readonly Ended[]; asked: readonly Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => { body += String(chunk) })
    request.on('end', () => {
      const { method = '', params = {}, sys = [] } = body === '' ? {} : JSON.parse(body) as {
        method?: string; params?: Record<string, unknown>; sys?: unknown[]
      }
      const one = { path: request.url ?? '', method, params, token: (sys[1] as string | undefined) ?? null }
      asked.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  const { port } = server.address() as AddressInfo
  try {
    const cwd = newFolder()
    writeFileSync(join(cwd, 'session'), JSON.stringify({
      scope: `url-127.0.0.1-${port}`, user: 'owner', sessionToken: session, refreshToken: 'refresh-1',
    }))
    const command = [...zonewright, ...args, '--url', `http://127.0.0.1:${port}`, '--session', 'session']
    const shell = command.map((word) => `'${word}'`).join(' ')
    const words = terminal ? ['script', '-qec', shell, '/dev/null'] : command
    const all = await Promise.all(Array.from({ length: times }, () => start(words, { cwd }).ended))
    return { ended: all[0]!, all, asked }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const json = (response: ServerResponse, value: object): void =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

const event = (revision: number, key: string) => ({ item: { type: 'put', key, value: `${revision}`, revision } })

test('a watch that is cut within a transaction, and whose token ends, tells each change once', async () => {
  const streams: readonly (readonly object[])[] = [
    [event(5, 'x/a'), event(6, 'x/a')],
    [event(6, 'x/a'), event(6, 'x/b'), {
      error: 'Token expired:The token has expired', code: 'Denied', details: { reason: 'token/expired' },
    }],
    [event(6, 'x/a'), event(6, 'x/b'), event(7, 'x/a'), { end: true }],
  ]
  let opened = 0
  const { ended, asked } = await against(({ path, method }, response) => {
    if (method === 'refresh_token') {
      return json(response, { result: { session_token: token('second'), refresh_token: 'refresh-2' } })
    }
    assert.is(path, '/kapi/system_config/stream')
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const lines = streams[opened++] ?? []
    // In pieces, as a network would
    const text = `\n${lines.map((line) => JSON.stringify(line)).join('\n')}\n`
    response.write(text.slice(0, 40))
    setTimeout(() => {
      response.write(text.slice(40), () => (opened === 1 ? response.destroy() : response.end()))
    }, 20)
  }, ['kv', 'watch', 'kv://x', '--after', '4', '--json'])
  assert.is(ended.exitCode, 0, ended.stderr)
  const told = ended.stdout.trim().split('\n').map((line) => JSON.parse(line) as { revision: number; key: string })
  assert.equal(told.map(({ revision, key }) => `${revision} ${key}`), ['5 x/a', '6 x/a', '6 x/b', '7 x/a'])
  const watches = asked.filter(({ method }) => method === 'sys_config_watch')
  assert.equal(watches.map(({ params }) => params), [
    { prefix: 'x', after: 4 }, { prefix: 'x', after: 5 }, { prefix: 'x', after: 5 },
  ])
  assert.is(watches[0]!.token, watches[1]!.token)
  assert.is.not(watches[2]!.token, watches[1]!.token)
  assert.equal(asked.filter(({ method }) => method === 'refresh_token').map(({ params }) => params), [
    { refresh_token: 'refresh-1' },
  ])
})

test('a watch whose history is gone says so, and one that may not go on', async () => {
  const endings = [['Compacted', 21, {}], ['Denied', 14, { reason: 'rbac/no-rule' }]] as const
  for (const [code, exitCode, details] of endings) {
    const { ended } = await against((_, response) => {
      response.writeHead(200).end(`${JSON.stringify({ error: 'No', code, details })}\n`)
    }, ['kv', 'watch', 'x', '--after', '1'])
    assert.is(ended.exitCode, exitCode, ended.stderr)
  }
})

test('what a hostile zone sends does not act on the terminal', async () => {
  const evil = '\u001b[2J\u009b31m\u202e\r\nerror'
  const host = {
    host: `h${evil}`, role: 'ood', state: 'serving', reason: evil, starts: 1,
    actors: [{
      name: `a${evil}`, kind: 'worker', state: 'failed', incarnation: 1, reason: evil, restarts: 0, since: 0,
      managed: true, version: '', processId: null,
    }],
  }
  const line = { sequence: 1, at: 0, host: evil, actor: evil, level: 'error', message: evil, fields: { [evil]: evil } }
  const answer: Answer = ({ path, method }, response) => {
    if (path.endsWith('/stream')) return void response.end(`${JSON.stringify({ item: line })}\n{"end":true}\n`)
    if (method === 'ps') return json(response, { result: { zone: 'z', hosts: [host] } })
    if (method === 'sys_config_get') return json(response, { result: { value: evil, version: 1 } })
    return json(response, { error: evil, code: evil, details: { next: evil, denial: evil, reason: evil, path: evil } })
  }
  const commands = [
    ['ps'], ['logs'], ['kv', 'get', 'a'], ['kv', 'list', 'a'], ['explain', 'D-00000000'], ['ps', '--json'],
  ]
  for (const args of commands) {
    const { ended } = await against(answer, args, { terminal: true })
    assert.not.match(ended.stdout, /\u001b\[2J|\u009b|\u202e|\r[^\r\n]/, args.join(' '))
  }
})

test('what is no zone is told from a zone that cannot answer now', async () => {
  const cases: readonly (readonly [Answer, number, string])[] = [
    [(_, response) => void response.writeHead(200).end('<html>hello'), 24, 'NotAZone'],
    [(_, response) => void response.writeHead(404).end('nothing'), 24, 'NotAZone'],
    [(_, response) => void response.writeHead(503).end(), 24, 'Unavailable'],
    [(_, response) => void response.destroy(), 24, 'Unavailable'],
    [(_, response) => json(response, { result: 'something else' }), 24, 'NotAZone'],
    [(_, response) => json(response, { error: 'Odd', code: 'NewError', details: {} }), 1, 'NewError'],
  ]
  for (const [answer, exitCode, code] of cases) {
    const { ended } = await against(answer, ['ps', '--json'])
    assert.is((JSON.parse(ended.stdout) as { error: { code: string } }).error.code, code)
    assert.is(ended.exitCode, exitCode, ended.stderr)
  }
})

test('of many commands whose token is about to end one refreshes it, and the others take what it got', async () => {
  let refreshed = 0
  const { all, asked } = await against(({ method, token: sent, params }, response) => {
    if (method !== 'refresh_token') return json(response, { result: sent === token('first') ? null : ['a'] })
    refreshed++
    // Long enough for the others to come
    setTimeout(() => json(response, {
      result: { session_token: token('second'), refresh_token: `${String(params['refresh_token'])}'` },
    }), 1_000)
  }, ['kv', 'list', 'x', '--json'], { times: 4, session: token('first', 30) })
  assert.equal(all.map(({ exitCode }) => exitCode), [0, 0, 0, 0], all[0]?.stderr)
  assert.is(refreshed, 1)
  assert.is(asked.filter(({ method }) => method === 'sys_config_list').length, 4)
})

test('a refresh that the zone refuses ends the login, and one that it cannot answer does not', async () => {
  const stale = { error: 'old', code: 'Denied', details: { reason: 'token/expired' } }
  const refused = await against(({ method }, response) =>
    json(response, method === 'refresh_token'
      ? { error: 'The refresh token was used before', code: 'Denied', details: { reason: 'refresh/reused' } } : stale),
  ['ps', '--json'])
  assert.is(refused.ended.exitCode, 18, refused.ended.stderr)
  assert.match(refused.ended.stdout, /"code":"NotLoggedIn".*has ended.*used before/)
  const away = await against(({ method }, response) =>
    (method === 'refresh_token' ? void response.writeHead(503).end() : json(response, stale)), ['ps', '--json'])
  assert.is(away.ended.exitCode, 14, away.ended.stderr)
})

test.run()
