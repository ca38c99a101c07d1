/** No secret leaves: each that a zone has is looked for in everything that it tells, and a planted leak is found. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { catalogue } from '../boot/catalogue.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { worker } from '../runtime/spec.ts'
import { createTrace, type TraceEvents } from '../runtime/trace.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { Leaky } from './examples/leaky-protocol.ts'
import { parseExposition } from './exposition.ts'
import { commandLines, filesBelow, findings, tell, verifyHubKey, type Places, type Secrets } from './secrets-fixture.ts'

const test = suite('secrets')

const PASSPHRASE = `passphrase of ${Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex')}`
const WRONG_PASSWORD = 'wrong-password-0123456789-of-the-test'
const OPEN = 'no-secret-given-as-env'
const kinds: readonly (keyof TraceEvents)[] = ['step', 'log', 'actor', 'link', 'host', 'denial', 'span']

interface Run {
  readonly secrets: Secrets
  readonly places: Places
}
interface Around extends Run {
  readonly platform: Platform
  readonly zone: RunningZone
  readonly folder: string
}

/** Boots a zone, does to it what people and attackers do, and keeps all that it says. */
async function lived(alsoDo: (around: Around) => Promise<void> = async () => {}): Promise<Run> {
  const [secrets, places]: [Secrets, Places] = [new Map(), new Map()]
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-secrets-'))
  try {
    const platform = await openPlatform()
    const trace = createTrace()
    for (const kind of kinds) trace.on(kind, (event) => tell(places, `trace: ${kind}`, event))
    const planted = `planted/${toBase64url(platform.random.bytes(24))}`
    const pem = platform.keys.generate(platform.random).exportPem()
    secrets.set('what an actor was given', planted).set('a key that an actor was given', pem)
    secrets.set('owner passphrase', PASSPHRASE).set('wrong password', WRONG_PASSWORD)
    // Spans are told, to a collector that is not there
    await writeFile(join(folder, 'zone.yaml'), 'telemetry: { otlp: "http://127.0.0.1:9" }\n')
    const zone = await up({
      platform, folder, trace, ownerPassphrase: PASSPHRASE,
      onProgress: (progress) => tell(places, 'progress', progress.type),
      actors: (stores, config) => [
        ...catalogue(stores, config),
        worker(Leaky, new URL('./examples/leaky.ts', import.meta.url), { manual: true }),
      ],
    })
    try {
      await readKeys(folder, secrets)
      const around = { secrets, places, platform, zone, folder }
      await leak(around, { planted, pem })
      await overHttp(around)
      await alsoDo(around)
      await look(around)
    } finally {
      await zone.stop()
    }
    tell(places, 'logs on the disk', await filesBelow(join(folder, 'logs')))
    tell(places, 'stores', await filesBelow(join(folder, 'stores')))
    for (const name of ['identity.json', 'booted.json']) tell(places, name, await readFile(join(folder, name), 'utf8'))
    secrets.set('key of verify-hub', await verifyHubKey(folder))
    return { secrets, places }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readKeys(folder: string, secrets: Secrets): Promise<void> {
  const read = async (...path: string[]): Promise<string> => (await readFile(join(folder, ...path), 'utf8')).trim()
  for (const name of ['device.key', 'unseal.key', 'owner.key']) secrets.set(name, await read(name))
  for (const name of await readdir(join(folder, 'recovery-shares'))) {
    secrets.set(`recovery ${name}`, await read('recovery-shares', name))
  }
}

/** An actor that tells its secret in every way that there is. */
async function leak({ zone, places, secrets }: Around, given: { planted: string; pem: string }): Promise<void> {
  const failed = (what: string) => (error: unknown) => tell(places, `errors: ${what}`, error)
  const failing = zone.start('leaky', { secrets: given, env: { FAIL_AT_START: '1' } })
  await failing.then(() => assert.unreachable(), failed('start'))
  await zone.start('leaky', { secrets: given, env: { OPEN } })
  const leaky = zone.get(Leaky)
  await leaky.fail({}).then(() => assert.unreachable(), failed('call'))
  await leaky.log({})
  const token = `eyJhbGciOiJFZERTQSJ9.${toBase64url(new Uint8Array(40).fill(7))}.${'s'.repeat(86)}`
  secrets.set('token in a denial', token)
  await leaky.deny({ token }).then(() => assert.unreachable(), failed('denial'))
  for (const how of ['background', 'uncaught'] as const) {
    const died = new Promise<void>((resolve) => {
      zone.trace.on('actor', ({ actor, state }) => { if (actor === 'leaky' && state === 'died') resolve() })
    })
    await leaky[how]({}).catch(failed(how))
    await died
  }
}

type Answer = Record<string, unknown>
let requests = 0
async function post({ zone, places }: Around, path: string, body: string, own = true): Promise<Readonly<Answer>> {
  const { hostname, port } = zone.address
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://${hostname}:${port}${path}`, { method: 'POST', body, headers })
  const text = await answer.text()
  tell(places, 'HTTP heads', JSON.stringify([...answer.headers]))
  // A pair of tokens is the answer to who logs in; nobody else's business
  if (own) tell(places, 'HTTP answers', text)
  return JSON.parse(text) as Answer
}

async function overHttp(around: Around): Promise<void> {
  const { zone, secrets, places } = around
  const first = (await zone.firstPassword())!
  secrets.set('first password', first.password)
  const call = (method: string, params: unknown, token?: string, own?: boolean) => post(around, '/kapi/verify-hub',
    JSON.stringify({ method, params, sys: [++requests, ...(token === undefined ? [] : [token])] }), own)
  const keep = (name: string, pair: Record<string, unknown>): { session: string; refresh: string } => {
    const { session_token: session, refresh_token: refresh } = pair['result'] as Record<string, string>
    secrets.set(`session token ${name}`, session!).set(`refresh token ${name}`, refresh!)
    return { session: session!, refresh: refresh! }
  }
  const login = { type: 'password', username: first.username, password: first.password, appid: 'console' }
  const one = keep('one', await call('login_by_password', login, undefined, false))
  const two = keep('two', await call('refresh_token', { refresh_token: one.refresh }, undefined, false))
  await call('login_by_password', { ...login, password: WRONG_PASSWORD })
  await call('verify_token', { session_token: `${two.session.slice(0, -4)}AAAA` })
  await call('verify_token', { session_token: two.session })
  await call('refresh_token', { refresh_token: `${two.refresh.slice(0, -2)}xx` })
  await call('no_such_method', { two })
  await call('login_by_password', { ...login, username: 5 })
  await post(around, '/kapi/system_config', JSON.stringify({
    method: 'sys_config_get', params: { key: 'security/verify-hub/key' }, sys: [++requests, two.session],
  }))
  for (const body of [`{"method":"x","sys":[1,"${two.session}"`, two.session]) {
    await post(around, '/kapi/system_config', body).catch(() => {})
  }
  const { hostname, port } = zone.address
  for (const path of ['/', '/healthz', '/readyz', '/metrics', `/nothing?token=${two.session}`, `/${two.session}`]) {
    const answer = await fetch(`http://${hostname}:${port}${path}`, { headers: {
      cookie: `session=${two.session}`, authorization: `Bearer ${two.session}`,
    } })
    tell(places, 'HTTP pages', await answer.text())
  }
}

async function rootToken({ zone, platform: { keys, clock, random } }: Around): Promise<string> {
  const pem = new TextDecoder().decode((await zone.files.read('owner.key'))!)
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.importPem(pem, PASSPHRASE), {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
}

/** What the zone tells of itself to whoever may ask. */
async function look(around: Around): Promise<void> {
  const { zone, places, secrets } = around
  const token = await rootToken(around)
  secrets.set('root token', token)
  const kv = await zone.get(SystemConfig).dump({ prefixes: [''] }, { token })
  assert.ok(kv.items.length > 10, 'a dump of kv:// by the owner')
  tell(places, 'kv://', kv)
  tell(places, 'trust', await zone.get(SystemConfig).trust({}))
  tell(places, 'hosts', zone.hosts())
  tell(places, 'list', zone.list())
  tell(places, 'steps', zone.steps())
  tell(places, 'command lines', `${process.argv.join(' ')}\n${await commandLines()}`)
}

let normal: Run | undefined
const once = async (): Promise<Run> => normal ??= await lived()

test('no secret is in anything that a zone tells, whatever was done to it', async () => {
  const { secrets, places } = await once()
  // The search has something to search in, and for
  const known = ['device.key', 'unseal.key', 'recovery share-1.txt', 'first password', 'session token two']
  for (const name of [...known, 'key of verify-hub']) assert.ok((secrets.get(name)?.length ?? 0) >= 8, name)
  const needed = [
    'trace: log', 'trace: actor', 'trace: denial', 'trace: step', 'trace: span', 'logs on the disk', 'HTTP answers',
    'HTTP pages', 'kv://', 'stores', 'command lines', 'errors: start', 'errors: call', 'errors: denial', 'hosts',
  ]
  for (const where of needed) assert.ok((places.get(where) ?? []).join('').length > 20, where)
  assert.match(places.get('logs on the disk')!.join(''), /"actor":"leaky".*\[redacted\]/)
  assert.match(places.get('logs on the disk')!.join(''), /died: .*uncaught \[redacted\]/)
  assert.equal(findings(secrets, places), [])
})

test('metrics have no text of anybody: not of denials, not of errors, not of paths', async () => {
  const { places } = await once()
  const text = places.get('HTTP pages')!.find((page) => page.includes('zonewright_actor_up')) ?? ''
  const metrics = parseExposition(text)
  assert.is(metrics.value('zonewright_actor_up', { host: 'ood1', actor: 'vault' }), 1)
  assert.ok((metrics.value('zonewright_actor_restarts_total', { host: 'ood1', actor: 'leaky' }) ?? 0) >= 1)
  assert.ok((metrics.value('zonewright_denials_total', { reason: 'token/malformed' }) ?? 0) >= 1)
  assert.ok(metrics.names.includes('zonewright_http_requests_total'))
  assert.ok((metrics.value('zonewright_boot_seconds') ?? 0) > 0)
  assert.not.match(text, /eyJ|planted|hunter2|wrong-password/)
})

test('the search finds each secret in each place, as it is and encoded', async () => {
  const { secrets, places } = await once()
  for (const where of places.keys()) {
    for (const [name, secret] of secrets) {
      const encoded = [Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]
      for (const text of [secret, `x${secret}x`, JSON.stringify({ deep: [secret] }), ...encoded]) {
        const found = findings(new Map([[name, secret]]), new Map([[where, [text]]]))
        assert.ok(found.includes(`${name} in ${where}`), `${name}: ${text}`)
      }
    }
  }
})

test('a zone that leaks is caught: what is not given as a secret comes out of its log and of kv://', async () => {
  const { secrets, places } = await lived(async (around) => {
    const { zone, secrets: known } = around
    known.set('planted in the log', OPEN).set('planted in kv', 'no-secret-in-kv')
    await zone.get(Leaky).env({})
    const token = await rootToken(around)
    await zone.get(SystemConfig).create({ key: 'services/planted', value: '"no-secret-in-kv"' }, { token })
  })
  assert.equal(findings(secrets, places), [
    'planted in kv in kv://', 'planted in kv in stores', 'planted in the log in logs on the disk',
    'planted in the log in trace: log',
  ])
})

test.run()
