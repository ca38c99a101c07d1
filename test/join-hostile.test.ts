/** What goes wrong when a host joins, by itself or because somebody wants it to: each has a name, nothing is lost. */
import { writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join as path } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { joinTokensPath } from '../actors/enrolment/protocol.ts'
import { hostAlpn, joinAlpn, joinPath } from '../actors/join-protocol.ts'
import { exitCodes } from '../boot/errors.ts'
import { renew, whoami } from '../boot/join/join-client.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { objectOf, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, withClock, type JoiningZone, type Made } from './boot-fixtures/joining.ts'

let zone: JoiningZone
/** Of another zone, which does not run any more. */
let foreign: { readonly made: Made; readonly port: number }

test.before(async () => {
  const other = await joiningZone()
  foreign = { made: await other.token('node6'), port: other.port }
  await other.stop()
  zone = await joiningZone()
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

/** The code of what it fails with, which has an exit code and a next step. */
async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
  } catch (error) {
    assert.instance(error, ZonewrightError, String(error))
    const { code, details, message } = error as ZonewrightError
    assert.ok(exitCodes[code], `${code} has an exit code`)
    assert.is(typeof details['next'], 'string', `${code}: ${message}`)
    return code
  }
  return 'joined'
}

test('each way in which a token is not good has a code of its own', async () => {
  const [one, two, three, short] = [
    await zone.token('node1'), await zone.token('node2'), await zone.token('node3'),
    await zone.token('node4', { ttlSeconds: 1 }),
  ]
  const { given } = zone.options(one)
  const wrong = { ...given, token: `${one.token.slice(0, -4)}AAAA` }
  assert.is(await codeOf(() => zone.join(one, { given: wrong })), 'JoinTokenUnknown')
  assert.is(await codeOf(() => zone.join(one, { host: 'node2' })), 'JoinNotAllowed')
  const revoked = await zone.control('DELETE', `${joinTokensPath}/${two.record.id}`)
  assert.is(revoked.status, 200)
  assert.is(await codeOf(() => zone.join(two)), 'JoinTokenRevoked')
  assert.is(await codeOf(() => zone.join(three)), 'joined')
  assert.is(await codeOf(() => zone.join(three)), 'JoinTokenUsed')
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  assert.is(await codeOf(() => zone.join(short)), 'JoinTokenExpired')
  assert.is(await codeOf(() => zone.join(one)), 'joined', 'what went wrong before used nothing up')
})

test('a token for other addresses is refused from here, and is not used up', async () => {
  const made = await zone.token('node5', { cidr: '192.0.2.0/24' })
  assert.is(await codeOf(() => zone.join(made)), 'JoinNotAllowed')
  const { value } = await zone.control('GET', joinTokensPath)
  const { tokens } = value as { tokens: { id: string; state: string }[] }
  assert.is(tokens.find(({ id }) => id === made.record.id)?.state, 'open')
})

test('a wrong CA, a wrong name, nobody, silence and no TLS are told apart', async () => {
  const made = await zone.token('node6')
  const { roots } = foreign.made
  const { given } = zone.options(made)
  const unpinned = { ...given, anchors: [] }
  assert.is(await codeOf(() => zone.join(made, { roots, given: unpinned })), 'ServerNotTrusted')
  assert.is(await codeOf(() => zone.join(made, { hostname: 'localhost' })), 'ServerWrongName')
  assert.is(await codeOf(() => zone.join(made, { port: foreign.port })), 'ServerUnreachable')
  assert.is(await codeOf(() => zone.join(made, { port: zone.zone.address.port })), 'ServerUnreachable')
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port: silentPort } = silent.address() as { port: number }
  assert.is(await codeOf(() => zone.join(made, { port: silentPort, attemptMs: 300 })), 'DeadlineExceeded')
  silent.close()
  assert.is(await codeOf(() => zone.join(made)), 'joined')
})

test('a root that has changed is found through the anchor, and through nothing that it did not sign', async () => {
  const made = await zone.token('node7')
  const { roots } = foreign.made
  const { given } = zone.options(made)
  const newer = { ...given, rootsVersion: made.rootsVersion + 1 }
  const { anchors } = zone.options(foreign.made).given
  assert.is(await codeOf(() => zone.join(made, { roots, given: newer })), 'ServerNotTrusted')
  const misled = { ...given, ...(anchors ? { anchors } : {}) }
  assert.is(await codeOf(() => zone.join(made, { roots, given: misled })), 'ServerNotTrusted')
  assert.is(await codeOf(() => zone.join(made, { roots })), 'joined')
})

test('a clock that is off is named as such; by less than ten minutes it is allowed for', async () => {
  for (const aheadMs of [limits.joinSkewMs + 5_000, -limits.joinSkewMs - 5_000, 3_600_000]) {
    const made = await zone.token('node8')
    assert.is(await codeOf(() => zone.join(made, { platform: withClock(aheadMs) })), 'ClockSkew')
  }
  const made = await zone.token('node8')
  const behind = withClock(-300_000)
  const joined = await zone.join(made, { platform: behind })
  assert.ok(joined.notBefore <= behind.clock.now(), 'it has begun by that clock')
  assert.ok(Math.abs(joined.skewMs - 300_000) < 5_000, `${joined.skewMs} ms`)
  assert.ok(joined.notAfter - platform.clock.now() <= limits.joinCertificateSeconds * 1_000)
})

test('a host renews by its certificate and its device key, and gets a new key with that', async () => {
  const options = zone.options(await zone.token('node9'))
  const first = await zone.join(await zone.token('node9'), options)
  const next = await renew(options, first)
  assert.not.equal([next.serial, next.tls.key], [first.serial, first.tls.key])
  assert.is((await whoami(options, next)).serial, next.serial)
  const thief = { ...options, device: platform.keys.generate(platform.random) }
  assert.is(await codeOf(() => renew(thief, next)), 'JoinNotAllowed')
})

/** What is answered to one request as it is written. */
async function raw(alpn: string, text: string): Promise<string> {
  const { roots } = await tokenOnce()
  return await new Promise((resolve) => {
    let answer = ''
    const socket = connectTls({ host: '127.0.0.1', port: zone.port, ca: [...roots], ALPNProtocols: [alpn] })
    socket.on('secureConnect', () => void socket.write(text))
    socket.on('data', (data) => { answer += data.toString() })
    socket.on('error', () => {}).on('close', () => resolve(answer))
  })
}
let once: ReturnType<JoiningZone['token']> | undefined
const tokenOnce = (): ReturnType<JoiningZone['token']> => once ??= zone.token('node10')
const get = (at: string): string => `GET ${at} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
const post = (at: string, body: string): string =>
  `POST ${at} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`

test('without a certificate there is the join and nothing else', async () => {
  assert.match(await raw(joinAlpn, get(joinPath.hello)), /^HTTP\/1\.1 200 [^]*"zone":"zone.local"/)
  for (const at of [joinPath.whoami, joinPath.renew, '/', '/join', joinTokensPath]) {
    assert.match(await raw(joinAlpn, get(at)), /^HTTP\/1\.1 404 /, at)
    assert.match(await raw(hostAlpn, get(at)), /^HTTP\/1\.1 403 [^]*HostCertificateNeeded/, at)
  }
  assert.is(await raw('http/1.1', get(joinPath.hello)), '', 'nobody speaks plain HTTP there')
})

test('requests that are none, giant or slow are refused or cut, and others go on', async () => {
  for (const body of ['', 'x', '[]', '{"token":1}', `{"token":"${'x'.repeat(1_000)}"}`]) {
    const answer = await raw(joinAlpn, post(joinPath.request, body))
    assert.match(answer, /^HTTP\/1\.1 400 [^]*InvalidArgument/, body.slice(0, 20))
  }
  const csr = 'x'.repeat(limits.joinPemCharacters + 1)
  const token = 'x'.repeat(limits.joinTokenCharacters + 1)
  const shape = { token: 'x', host: 'node1', csr: 'x', device: 'x', proof: 'x', now: 0 }
  for (const more of [{ csr }, { token }]) {
    const body = JSON.stringify({ ...shape, ...more })
    assert.match(await raw(joinAlpn, post(joinPath.request, body)), /^HTTP\/1\.1 400 [^]*expected shape/)
  }
  const giant = 'x'.repeat(limits.enrolmentBodyBytes + 1)
  assert.match(await raw(joinAlpn, post(joinPath.request, giant)), /^HTTP\/1\.1 413 /)
  const slow = raw(joinAlpn, `POST ${joinPath.request} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx`)
  const idle = await Promise.all(Array.from({ length: 50 }, () => new Promise<Socket>((resolve) => {
    const socket = connect(zone.port, '127.0.0.1', () => resolve(socket.on('error', () => {})))
  })))
  assert.is(await codeOf(async () => zone.join(await zone.token('node11'))), 'joined')
  const began = performance.now()
  assert.match(await slow, /^HTTP\/1\.1 408 /)
  assert.ok(performance.now() - began < limits.enrolmentRequestMs + 3_000)
  for (const socket of idle) socket.destroy()
})

test('tokens are made for who may, and shown to nobody else', async () => {
  const asked = JSON.stringify({ host: 'node12', role: 'node' })
  assert.is((await zone.control('POST', joinTokensPath, asked, '')).status, 400)
  assert.is((await zone.control('POST', joinTokensPath, asked, 'a.b.c')).status, 403)
  assert.is((await zone.control('GET', joinTokensPath, '', 'a.b.c')).status, 403)
  const ood = await zone.control('POST', joinTokensPath, JSON.stringify({ host: 'ood2', role: 'ood' }))
  assert.equal([ood.status, (ood.value as { code: string }).code], [400, 'InvalidArgument'])
  assert.is((await zone.control('DELETE', `${joinTokensPath}/${'0'.repeat(20)}`)).status, 404)
  const { value } = await zone.control('GET', joinTokensPath)
  assert.not.match(JSON.stringify(value), /zwj_/)
})

test('the command line says what is wrong, how it ends, and what to do', async () => {
  const made = await zone.token('node13')
  const { run, cwd } = zone
  writeFileSync(path(cwd, 'token'), made.token)
  writeFileSync(path(cwd, 'root.pem'), made.roots.join(''))
  const words = ['join', '--server', `127.0.0.1:${zone.port}`, '--token-file', 'token', '--root', 'root.pem', '--once']
  const failure = async (...args: readonly string[]) => {
    const ended = await run(...words, '--json', ...args)
    const { error } = objectOf(ended) as { error: { code: string; next?: string } }
    assert.ok(error.next, error.code)
    return [ended.exitCode, error.code]
  }
  assert.equal(await failure(), [2, 'Usage'], 'a bare token does not say for whom it is')
  assert.equal(await failure('--host', 'node14'), [69, 'JoinNotAllowed'])
  const nobody = await failure('--host', 'node13', '--server', '127.0.0.1:1', '--attempts', '2')
  assert.equal(nobody, [60, 'ServerUnreachable'])
  assert.equal(await failure('--host', 'node13', '--server', 'nowhere'), [2, 'Usage'])
  assert.equal(await failure('--host', 'node13', '--root', 'token'), [2, 'Usage'])
  assert.is((await run(...words, '--host', 'node13')).exitCode, 0)
})

/** On one connection at a time. */
const FEW = 4

test('a flood from one address is told to wait, and the zone goes on', async () => {
  const { roots } = await tokenOnce()
  const statuses: string[] = []
  await new Promise<void>((resolve, reject) => {
    const few = (): void => void socket.write('GET /join HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(FEW))
    const socket = connectTls({ host: '127.0.0.1', port: zone.port, ca: [...roots], ALPNProtocols: [joinAlpn] })
    socket.on('secureConnect', few).on('error', reject).on('close', resolve)
    socket.on('data', (data) => {
      for (const [, status] of data.toString().matchAll(/HTTP\/1\.1 (\d+)/g)) statuses.push(status!)
      if (statuses.length >= limits.enrolmentPerSource + FEW) socket.destroy()
      else if (statuses.length % FEW === 0) few()
    })
  })
  assert.equal([...new Set(statuses)], ['404', '429'])
  assert.is(await codeOf(async () => zone.join(await zone.token('node15'), { attempts: 1 })), 'Overloaded')
  const { tokens } = (await zone.control('GET', joinTokensPath)).value as { tokens: unknown[] }
  assert.ok(tokens.length > 0, 'tokens are made all the same')
})

test.run()
