/** The gateway's own guards, without a server: what it passes on, whom it tells, and what it keeps to itself. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootPage } from '../../actors/gateway/boot-page.ts'
import { createFirstUses } from '../../actors/gateway/first-uses.ts'
import { createKrpc, type KrpcClient } from '../../actors/gateway/krpc.ts'
import { createProbes, type ProbeOptions } from '../../actors/gateway/probes.ts'
import { refusalOf } from '../../actors/gateway/refusals.ts'
import { Denied, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { HttpRequest } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signToken, type TokenClaims } from '../../runtime/trust/token.ts'
import { testClock } from '../runtime/link-fixture.ts'

const keys = await createCrypto()
const key = keys.generate(systemRandom)
const tokenOf = (changes: Partial<TokenClaims> = {}): string => signToken(key, {
  iss: 'verify-hub', sub: 'alice', aud: ['gateway'], iat: 1, exp: 900, jti: 'j', token_use: 'session',
  appid: 'gateway', runtime_type: 'user', sid: 's', epoch: 0, ...changes,
})

/** Who is told of first uses, and what verify-hub answers. */
function firstUses(answer: () => Promise<unknown> = async () => ({})) {
  const told: string[] = []
  const verifyHub = { verifyToken: ({ sessionToken }: { sessionToken: string }) => (told.push(sessionToken), answer()) }
  return { told, accepted: createFirstUses(verifyHub as never) }
}

test('verify-hub is told once of a session without a key, and of nothing else', () => {
  const { told, accepted } = firstUses()
  const token = tokenOf()
  for (const one of [token, token, tokenOf({ cnf: { jkt: key.public.kid } }), tokenOf({ token_use: 'sudo' }), 'junk']) {
    accepted(one)
  }
  assert.equal(told, [token])
})

test('of a first use that verify-hub did not hear of it is told again; not of one that it refused', async () => {
  for (const [error, times] of [[new Unavailable('away'), 2], [new Denied('no'), 1]] as const) {
    const { told, accepted } = firstUses(() => Promise.reject(error))
    for (let time = 0; time < 2; time++) {
      accepted(tokenOf())
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    assert.is(told.length, times)
  }
})

test('what was told of is forgotten, the oldest first, when there is too much', () => {
  const { told, accepted } = firstUses()
  const tokens = Array.from({ length: limits.boundTokens + 1 }, (_, index) => tokenOf({ jti: `j${index}` }))
  for (const token of [...tokens, tokens[0]!]) accepted(token)
  assert.is(told.length, limits.boundTokens + 2)
})

const request = (changes: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET', path: '/', query: '', headers: {}, body: new Uint8Array(), remoteAddress: '127.0.0.1', ...changes,
})

test('a token that a client sends along is given to the methods that take one, and to no others', async () => {
  const settings: unknown[] = []
  const client: KrpcClient = { krpc: async (_, given) => (settings.push(given.token), {}) }
  const krpc = createKrpc({
    clock: testClock(), accepted: () => {}, warn: () => {},
    services: { 'verify-hub': { client, tokenMethods: new Set(['asks']) }, scheduler: { client } },
  })
  const token = tokenOf()
  for (const [service, method] of [['verify-hub', 'm'], ['verify-hub', 'asks'], ['scheduler', 'm']] as const) {
    const headers = { 'content-type': 'application/json' }
    const body = new TextEncoder().encode(JSON.stringify({ method, params: {}, sys: [1, token] }))
    await krpc.answer(request({ method: 'POST', path: `/kapi/${service}`, headers, body }))
  }
  assert.equal(settings, [undefined, token, token])
})

test('what nobody expected is told to nobody outside, and of details only those that are meant for them', () => {
  const hidden = refusalOf(new ZonewrightError('StoreDamaged', 'the disk of ood1', { path: '/zone' }), 'x', [1])
  assert.equal([hidden.status, hidden.body.code, hidden.body.details], [500, 'Internal', {}])
  const told = refusalOf(new Denied('no', { reason: 'rbac/no-rule', denial: 'D-1', path: '/zone' }), 'x', [1])
  assert.equal(told.body.details, { denial: 'D-1', reason: 'rbac/no-rule' })
})

test('metrics are for this machine: not for others, not through a proxy, not under another name', async () => {
  const needs = { supervision: { metrics: async () => ({ text: 'up 1\n' }) } } as unknown as ProbeOptions['needs']
  const metrics = createProbes({ host: 'ood1', needs, token: () => '', booted: true })['/metrics']!
  const statusOf = async (changes: Partial<HttpRequest>) => (await metrics(request(changes))).status
  assert.is(await statusOf({ headers: { host: 'localhost:80' } }), 200)
  assert.is(await statusOf({ remoteAddress: '192.0.2.1' }), 403)
  assert.is(await statusOf({ headers: { 'x-forwarded-for': '127.0.0.1' } }), 403)
  assert.is(await statusOf({ headers: { host: 'rebound.example' } }), 403)
})

test('the page shows what it is told as text', () => {
  const step = { number: 1, host: 'ood1', actor: '<b>', at: 0, evidence: { kid: '"><script>' } }
  const page = bootPage('<i>zone</i>', 'ood1', [step], () => '<u>')
  for (const tag of ['<b>', '<script>', '<i>zone', '<u>']) assert.not.ok(page.includes(tag), tag)
})

test.run()
