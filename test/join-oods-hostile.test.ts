/** Who would like to be an OOD, and is not: over real TLS, on a real etcd of three members. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { OodJoinAnswer } from '../actors/join-ood-protocol.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { withServer } from '../boot/join/ask.ts'
import { openOodJoining, type OodJoining } from '../boot/join/ood-folder.ts'
import { limits } from '../runtime/limits.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { objectOf, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type Made } from './boot-fixtures/joining.ts'
import { oodZone, type OodZone } from './boot-fixtures/joining-oods.ts'

let zone: OodZone

test.before(async () => {
  zone = await oodZone()
})
test.after(async () => {
  await (zone as OodZone | undefined)?.end()
  removeFolders()
})

type Failed = Error & { readonly code: string; readonly details: Readonly<Record<string, unknown>> }
const failure = async (run: Promise<unknown>): Promise<Failed> =>
  run.then(() => assert.unreachable('it went through'), (error: Failed) => error) as Promise<Failed>
const reasonOf = async (run: Promise<unknown>): Promise<string> => {
  const { code, details } = await failure(run)
  return `${code} ${String(details['reason'])}`
}
/** It asks once, hears that it waits, and goes away. */
async function asks(made: Made, folder: Pick<OodJoining, 'device' | 'asked'>): Promise<void> {
  const ending = new AbortController()
  await failure(zone.join(made, folder, { signal: ending.signal, onWaiting: () => ending.abort(new Error('enough')) }))
}
const certificatesOf = async (host: string): Promise<number> => {
  const vault = zone.joining.zone.get(Vault)
  const { certificates } = await vault.certificates({ mount: 'pki', limit: 1_000 })
  const { certificates: ofEtcd } = await vault.certificates({ mount: 'pki-etcd', limit: 1_000 })
  return [...certificates, ...ofEtcd].filter(({ subject }) => subject.includes(host)).length
}

test('nobody is certified before the owner has signed, nor by a document that is registered and no more', async () => {
  const made = await zone.token('ood2')
  const folder = await zone.folder('ood2')
  await asks(made, folder)
  await zone.register('ood2', zone.document('ood2', folder.device.public.jwk))
  await asks(made, folder)
  assert.is(await certificatesOf('ood2'), 0)
  await folder.close()
})

test('a second device with the same token, and the owner’s word for the first one, gets nothing', async () => {
  const made = await zone.token('ood3')
  const [host, thief] = [await zone.folder('ood3'), await zone.folder('ood3')]
  await asks(made, host)
  assert.is(await reasonOf(zone.join(made, thief)), 'JoinTokenUsed used')
  const document = zone.document('ood3', host.device.public.jwk)
  const forThief = await zone.approve('ood3', zone.document('ood3', thief.device.public.jwk))
  assert.is(forThief.status, 404, 'it does not wait')
  await zone.register('ood3', document)
  assert.is((await zone.approve('ood3', document)).status, 200)
  assert.is(await reasonOf(zone.join(made, thief)), 'JoinNotAllowed owned')
  const joined = await zone.join(made, host)
  // The answer was lost, and so was the process: the same request gets the same answer
  const { dir } = host
  await host.close()
  const again = await openOodJoining(platform, dir, { host: 'ood3' })
  const second = await zone.join(made, again)
  assert.equal([second.serial, second.tls, second.etcd.pair], [joined.serial, joined.tls, joined.etcd.pair])
  assert.is(second.unsealKey, joined.unsealKey)
  assert.is((await zone.joining.control('DELETE', '/hosts/ood3')).status, 200)
  assert.is(await reasonOf(zone.join(made, again)), 'JoinTokenRevoked revoked')
  await again.close()
  await thief.close()
})

test('a document that the owner key did not sign, or for a node, approves nobody', async () => {
  const made = await zone.token('ood4')
  const folder = await zone.folder('ood4')
  await asks(made, folder)
  const { device: { public: { jwk } } } = folder
  assert.is((await zone.approve('ood4', zone.document('ood4', jwk, {}, folder.device))).status, 400)
  assert.is((await zone.approve('ood4', zone.document('ood4', jwk, { role: 'node' }))).status, 403)
  assert.is((await zone.approve('ood5', zone.document('ood4', jwk))).status, 404)
  const anonymous = await zone.joining.control('POST', '/ood-requests/ood4', '{"document":""}', '')
  assert.is(anonymous.status, 400, 'and nobody without a session is asked at all')
  await asks(made, folder)
  await folder.close()
})

test('who is refused, and who comes too late, is told so at once', async () => {
  const made = await zone.token('ood6')
  const folder = await zone.folder('ood6')
  await asks(made, folder)
  assert.is((await zone.refuse('ood6', folder.device.public.kid)).status, 200)
  assert.is(await reasonOf(zone.join(made, folder)), 'JoinNotAllowed refused')
  const late = await zone.token('ood6', { ttlSeconds: 2 })
  await asks(late, folder)
  assert.is(await reasonOf(zone.join(late, folder)), 'JoinTokenExpired expired')
  await folder.close()
})

test('a token for a node makes no OOD, and one for an OOD no node', async () => {
  const folder = await zone.folder('host7')
  const [ofNode, ofOod] = [await zone.joining.token('host7'), await zone.token('host7')]
  assert.is(await reasonOf(zone.join(ofNode, folder)), 'JoinNotAllowed role')
  assert.is(await reasonOf(zone.joining.join(ofOod, { device: folder.device })), 'JoinNotAllowed role')
  const hello = zone.joining.options(ofOod)
  const tls = { roots: hello.roots, alpn: 'zonewright-join/1' }
  const half = withServer(hello, tls, ({ ask }) => ask(OodJoinAnswer, 'POST', '/join/ood', { token: ofOod.token }))
  assert.is(await reasonOf(half), 'NotAZone undefined', 'half a request is none')
  await folder.close()
})

test('a name that the owner has given to another key is nobody’s, and this host’s own least of all', async () => {
  const folder = await zone.folder('ood8')
  await zone.register('ood8', zone.document('ood8', platform.keys.generate(platform.random).public.jwk))
  const made = await zone.token('ood8')
  assert.is(await reasonOf(zone.join(made, folder)), 'JoinNotAllowed owned')
  const own = await zone.joining.control('POST', '/join-tokens', '{"host":"ood1","role":"ood"}')
  assert.is(own.status, 403)
  assert.is(await certificatesOf('ood8'), 0)
  await folder.close()
})

test('what was approved is given only while the owner’s document is registered', async () => {
  const made = await zone.token('ood9')
  const folder = await zone.folder('ood9')
  await asks(made, folder)
  const document = zone.document('ood9', folder.device.public.jwk)
  assert.is((await zone.approve('ood9', document)).status, 200)
  assert.is((await failure(zone.join(made, folder))).code, 'ServerUnreachable')
  await zone.register('ood9', document)
  await zone.join(made, folder)
  await folder.close()
})

test('it asks again at intervals that grow up to the limit', async () => {
  const waits: number[] = []
  const ending = new AbortController()
  const hurried: Platform = {
    ...platform, clock: {
      ...platform.clock,
      after(ms, task) {
        waits.push(ms)
        if (waits.length === 7) ending.abort(new Error('enough'))
        return platform.clock.after(20, task)
      },
    },
  }
  const folder = await zone.folder('ood10')
  const made = await zone.token('ood10')
  await failure(zone.join(made, folder, { platform: hurried, signal: ending.signal }))
  const { oodPollMsMin: min, oodPollMsMax: max } = limits
  for (const [index, ms] of waits.slice(0, 7).entries()) {
    const full = Math.min(max, min * 2 ** index)
    assert.ok(ms >= full / 2 && ms <= full, `${index}: ${ms}`)
  }
  await folder.close()
})

test('where the stores are one host’s alone there is no second OOD, and it is said why', async () => {
  const alone = await joiningZone()
  try {
    assert.is((await alone.run('login', '--password-file', 'password')).exitCode, 0)
    const ended = await alone.run('gen', 'join-token', '--host', 'ood2', '--role', 'ood', '--out', 'two', '--json')
    assert.match(String((objectOf(ended)['error'] as { message: string }).message), /have to be in etcd/)
  } finally {
    await alone.stop()
  }
})

test.run()
