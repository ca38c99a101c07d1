/** The life of the listener's certificate, by a clock that the test moves: the real vault certifies, nobody listens. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHandOn } from '../../actors/vault/listener/hand-on.ts'
import { Listening } from '../../actors/vault/listener/serving.ts'
import { renewalOf } from '../../actors/vault/listener/certificate.ts'
import { Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpServerOptions, HttpTls } from '../../runtime/platform/ports.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePems } from '../../runtime/x509/pem.ts'
import { as, keys, supervisor } from './vault-fixture.ts'
import { listener, openHttpVault } from './vault-http-fixture.ts'

const DAY = 86_400_000

async function scene(env: Record<string, string> = {}, secrets: Record<string, string> = {}) {
  const vault = await openHttpVault()
  const { clock, handlers } = vault
  const served: HttpServerOptions[] = []
  const renewed: HttpTls[] = []
  const said: string[] = []
  const life = new AbortController()
  let closed = 0
  let broken = false
  const asListener = <A, R>(call: (args: A, cx: never) => R) => async (args: A) => {
    if (broken) throw new Unavailable('The vault is away')
    return call(args, as(listener))
  }
  const listening = new Listening({
    env, secrets, keys, clock, random: systemRandom, stopping: life.signal, count() {},
    needs: { vault: {
      http: asListener(handlers.http), signCertificate: asListener(handlers.signCertificate),
      authorities: asListener(handlers.authorities),
    } },
    transport: { serveHttp: async (options: HttpServerOptions) => {
      served.push(options)
      return {
        port: options.port || 8_200,
        close: async () => { closed++ },
        ...(options.tls ? { renew: (tls: HttpTls) => void renewed.push(tls) } : {}),
      }
    } },
    log: { info: (line: string) => void said.push(line), warn: (line: string) => void said.push(line), error() {} },
    self: { zone: 'z1', host: 'ood1' }, background: (task: () => Promise<void>) => void task(),
  } as never)
  /** Signs take their time on a pool of threads. */
  const advance = async (ms: number, step = ms) => {
    for (let at = 0; at < ms; at += step) {
      await clock.advance(step)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return {
    ...vault, listening, served, renewed, said, advance, closed: () => closed, end: () => life.abort(),
    breaks: (now: boolean) => { broken = now },
    certify: async () => handlers.ensureAuthorities({}, as(supervisor)),
  }
}

test('on loopback it begins without TLS, and turns to it on its port when there is an authority', async () => {
  const { listening, served, advance, closed, certify, end } = await scene()
  await listening.open()
  assert.equal([served.length, served[0]!.tls, listening.address.tls], [1, undefined, false])
  await certify()
  await advance(2 * limits.vaultListenerRetryMs)
  assert.equal([served.length, closed(), served[1]!.port, listening.address.tls], [2, 1, 8_200, true])
  const [leaf, intermediate] = decodePems(served[1]!.tls!.certificate, 'CERTIFICATE', 3).map(parseCertificate)
  const names = (leaf!.extensions.names ?? []).map(({ type, value }) => `${type}:${value}`)
  for (const name of ['dns:vault.z1', 'dns:localhost', 'ip:127.0.0.1', 'uri:spiffe://z1/service/vault']) {
    assert.ok(names.includes(name), `${name} of ${names}`)
  }
  assert.ok(intermediate)
  assert.match(listening.origin, /^https:/)
  end()
})

test('elsewhere it does not listen before it has a certificate, and never without', async () => {
  const { listening, served, advance, certify, end } = await scene({ ZONEWRIGHT_VAULT_HOSTNAME: '0.0.0.0' })
  await listening.open()
  assert.equal([served.length, listening.address.port], [0, 0])
  await certify()
  await advance(2 * limits.vaultListenerRetryMs)
  assert.equal([served.length, served[0]!.tls !== undefined, served[0]!.hostname], [1, true, '0.0.0.0'])
  end()
  const off = scene({ ZONEWRIGHT_VAULT_HOSTNAME: '192.0.2.1', ZONEWRIGHT_VAULT_TLS: 'off' })
  const error = await off.catch((failed: Error) => failed)
  assert.match((error as Error).message, /loopback only/)
})

test('a certificate is renewed at a random point of 50 to 80 % of its life, and the connections go on', async () => {
  assert.equal([renewalOf(0, 1_000, 0), renewalOf(0, 1_000, 1)], [500, 800])
  const { listening, served, renewed, advance, clock, certify, end, closed } = await scene()
  await certify()
  await listening.open()
  const life = listening.address.notAfter! - clock.now()
  await advance(life * 0.49, limits.vaultListenerLookMs * 24)
  assert.is(renewed.length, 0)
  await advance(life * 0.33, DAY / 4)
  assert.equal([renewed.length, served.length, closed()], [1, 1, 0])
  assert.not.equal(renewed[0]!.key, served[0]!.tls!.key)
  assert.ok(listening.address.notAfter! > clock.now() + life * 0.6)
  end()
})

test('while the vault cannot certify what there is stays, and it is tried again', async () => {
  const { listening, renewed, advance, clock, certify, end, breaks, said } = await scene()
  await certify()
  await listening.open()
  const { serial, notAfter } = listening.address
  breaks(true)
  await advance((notAfter! - clock.now()) * 0.85, DAY)
  assert.equal([renewed.length, listening.address.serial], [0, serial])
  assert.ok(said.some((line) => /got no new certificate/.test(line)))
  breaks(false)
  await advance(2 * limits.vaultRenewRetryMs)
  assert.is(renewed.length, 1)
  assert.not.equal(listening.address.serial, serial)
  end()
})

test('a certificate that it was given it shows, and asks for none', async () => {
  const { listening, served, advance, certify, end } = await scene(
    { ZONEWRIGHT_VAULT_HOSTNAME: '0.0.0.0', ZONEWRIGHT_VAULT_TLS: 'off' }, { 'tls-certificate': 'C', 'tls-key': 'K' },
  )
  await listening.open()
  await certify()
  await advance(2 * limits.vaultListenerRetryMs)
  assert.equal(served.map(({ tls }) => tls), [{ certificate: 'C', key: 'K' }])
  end()
})

const request = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET', path: '/v1/sys/health', query: '', headers: {}, body: new Uint8Array(), remoteAddress: '127.0.0.1',
  ...more,
})

test('so many requests are handed on at once, each for a time, with the headers that the vault goes by', async () => {
  const handed: { headers: Record<string, string>; withinMs: number }[] = []
  const waiting: (() => void)[] = []
  const counted: string[] = []
  const hand = createHandOn({
    origin: () => 'http://x', clock: systemClock, warn() {}, count: (sample) => void counted.push(sample),
    vault: { http: ({ headers }, settings) => new Promise((resolve) => {
      handed.push({ headers, withinMs: settings!.withinMs! })
      waiting.push(() => resolve({ status: 200, headers: {}, body: 'AAEC', base64: true }))
    }) },
  })
  const first = hand(request({ headers: { cookie: 'c', 'x-forwarded-for': 'x', 'x-vault-token': 't' } }))
  assert.equal(handed, [{ headers: { 'x-vault-token': 't' }, withinMs: limits.vaultHttpMs }])
  const others = Array.from({ length: limits.vaultHttpRequests - 1 }, () => hand(request()))
  const soon = async <T>(work: Promise<T>): Promise<T> => Promise.race([work, new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('It was handed on')), 100)
  })])
  const over = await soon(hand(request()))
  assert.equal([over.status, over.headers['retry-after']], [429, '1'])
  assert.is(over.body, '{"errors":["too many requests at once"]}\n')
  // A few go at once, each for itself; behind so many under way those of one turn go together
  assert.is(handed.length, 7)
  while (handed.length < limits.vaultHttpRequests) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    assert.ok(handed.length === 7 || handed.length === limits.vaultHttpRequests, `${handed.length}`)
  }
  for (const end of waiting) end()
  assert.equal((await first).body, Uint8Array.of(0, 1, 2))
  await Promise.all(others)
  const long = 'x'.repeat(limits.vaultHttpHeader)
  const after = hand(request({ headers: { 'x-vault-token': long } }))
  waiting.at(-1)!()
  assert.is((await after).status, 200)
  assert.is((await soon(hand(request({ headers: { 'x-vault-token': `${long}x` } })))).status, 431)
  assert.is((await hand(request({ body: Uint8Array.of(0xff) }))).status, 400)
  assert.ok(counted.includes('vault_http_requests_total{status="429"}'))
})

test('what the vault cannot answer now is told as that, and what fails as no more than a failure', async () => {
  const warned: string[] = []
  const cases = [[new Unavailable('x'), 503], [new Overloaded('x'), 429], [new Error('planted'), 500]] as const
  for (const [error, status] of cases) {
    const hand = createHandOn({
      origin: () => 'http://x', clock: systemClock, warn: (line) => void warned.push(line), count() {},
      vault: { http: async () => { throw error } },
    })
    const answer = await hand(request({ path: '/v1/secret/data/planted-path' }))
    assert.is(answer.status, status)
    assert.not.ok(String(answer.body).includes('planted'))
  }
  assert.equal(warned, ['A request failed: planted'])
})

test.run()
