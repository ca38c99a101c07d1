/** The items of the review at the foot of the notes on logins: one test for each, named for it. */
import { readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../actors/boot-steps.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { Service } from '../actors/service/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { loginTypes } from '../actors/trust-matrix.ts'
import { VerifyHubKeyMismatch } from '../actors/verify-hub/protocol.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import type { StepEvent } from '../runtime/trace.ts'
import { fromBase64url } from '../runtime/trust/base64url.ts'
import { tokenLifetimeSeconds, tokenTypes, type TokenClaims } from '../runtime/trust/token.ts'
import { inLiveZone } from './actors/live-zone.ts'
import { peer, testZone } from './actors/system-config-zone.ts'
import { failure as hubFailure, testZone as hubZone } from './actors/verify-hub-zone.ts'
import { knownZone, type KnownZone } from './known-zone.ts'
import { loggedIn } from './krpc-fixture.ts'
import { plain } from './plain.ts'
import { late, watchingTokens } from './review-fixture.ts'

// First: what real workers leave to the collector springs traps of a simulation
const simulated = suite('review, in simulation')
const real = suite('review, on a real zone')

const partOf = (token: string, at: number): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(fromBase64url(token.split('.')[at]!))) as Record<string, unknown>

const actors = ['system-config', 'verify-hub', 'scheduler', 'node-daemon', 'service', 'gateway', 'boot-scheduler']

simulated('item 0: every token that the zone issues has the standard claims and header', async () => {
  const tokens = new Set<string>()
  const watch = watchingTokens((token) => void tokens.add(token))
  await inLiveZone(async (live) => {
    const { hub, pair, client, username } = await loggedIn(live)
    await client('system_config').call('sys_config_get', { key: `users/${username}/a` })
    await hub.call('refresh_token', { refresh_token: pair.refresh_token })
    await live.read('boot/config')
    await live.pause(1_000)
  }, Object.fromEntries(actors.map((name) => [name, watch])))

  const jtis = new Map<string, string>()
  const seen = new Set<string>()
  for (const token of tokens) {
    const [header, claims] = [partOf(token, 0), partOf(token, 1) as unknown as TokenClaims]
    const told = JSON.stringify(claims)
    assert.equal(Object.keys(header).sort(), ['alg', 'kid', 'typ'], told)
    assert.equal([header['alg'], header['typ']], ['EdDSA', tokenTypes[claims.token_use]], told)
    assert.match(String(header['kid']), /^[\w-]{43}$/, told)
    for (const name of ['iss', 'sub', 'jti', 'appid', 'runtime_type'] as const) {
      assert.type(claims[name], 'string', told)
    }
    assert.ok(Array.isArray(claims.aud) && claims.aud.length > 0, told)
    assert.ok(Number.isSafeInteger(claims.iat) && Number.isSafeInteger(claims.exp), told)
    assert.ok(claims.exp > claims.iat && claims.exp - claims.iat <= tokenLifetimeSeconds[claims.token_use], told)
    assert.ok(claims.jti.length >= 16, 'a jti is drawn, it is no time')
    assert.is(jtis.get(claims.jti) ?? token, token, 'a jti is given once')
    jtis.set(claims.jti, token)
    seen.add(claims.token_use)
  }
  assert.equal([...seen].sort(), ['boot', 'login', 'refresh', 'root', 'session'])
  assert.ok(tokens.size >= 12, `${tokens.size}`)
})

type Steps = ReadonlyMap<number, number>

/** Steps of the boot of each service that logs in, by number: when they happened. */
async function boots(changes: Parameters<typeof inLiveZone>[1]): Promise<ReadonlyMap<string, Steps>> {
  const times = new Map<string, Map<number, number>>()
  await inLiveZone(async ({ zone }) => {
    for (const { sequence, number, evidence, at } of zone.steps() as readonly StepEvent[]) {
      const appid = String(evidence['appid'] ?? '-')
      const steps = times.get(appid) ?? new Map<number, number>()
      times.set(appid, steps)
      if (sequence === 'boot' && !steps.has(number)) steps.set(number, at)
    }
  }, changes)
  return times
}

const services = ['gateway', 'scheduler', 'service']
const between = (steps: Steps, from: number, to: number): number => steps.get(to)! - steps.get(from)!

simulated('item 6: a service exchanges its login token at once, and all of them in parallel', async () => {
  const { loginTokenReceived, loginReceived, pairReceived } = bootStep
  const times = await boots({})
  for (const name of services) {
    const steps = times.get(name)!
    // The original waited five seconds for the others to come up
    assert.ok(between(steps, loginTokenReceived, pairReceived) < 250, `${name}: ${JSON.stringify([...steps])}`)
    assert.ok(steps.get(loginTokenReceived)! <= steps.get(loginReceived)!, name)
    assert.ok(steps.get(loginReceived)! <= steps.get(pairReceived)!, name)
  }
  // While verify-hub takes two seconds for each answer, nobody waits for the answer of another
  const slow = await boots({ 'verify-hub': late({ method: 'loginByJwt', methodMs: 2_000 }) })
  const began = ['scheduler', 'service'].map((name) => slow.get(name)!.get(loginTokenReceived)!)
  const got = ['scheduler', 'service'].map((name) => slow.get(name)!.get(pairReceived)!)
  assert.ok(Math.max(...began) < Math.min(...got), JSON.stringify([began, got]))
})

simulated('item 6: a verify-hub that is late delays the exchange by that and no more', async () => {
  const times = await boots({ 'verify-hub': late({ startMs: 5_000 }) })
  const ready = times.get('-')!.get(bootStep.verifyHubKeyLoaded)!
  for (const name of services) {
    const got = times.get(name)!.get(bootStep.pairReceived)!
    assert.ok(got >= ready && got - ready < 1_500, `${name}: ${got - ready} ms after verify-hub`)
  }
})

let known: KnownZone
real.before(plain(async () => {
  known = await knownZone()
}))
real.after(() => known?.remove())

real('item 3: boot phase trusts one key, normal phase three, and none is loaded by its kid', plain(async () => {
  const zone = testZone()
  const running = await zone.start()
  const supervisor = peer('supervisor', { runtimeType: 'ood' })
  const ask = async (token: string): Promise<string> => {
    try {
      await running.as(token, supervisor).get({ key: 'boot/config' })
      return 'let in'
    } catch (error) {
      if (!(error instanceof ZonewrightError)) throw error
      return String(error.details['reason'])
    }
  }
  const verdicts = async () => ({
    boot: await ask(zone.tokens.boot()),
    device: await ask(zone.tokens.device()),
    root: await ask(zone.tokens.root()),
    verifyHub: await ask(zone.tokens.verifyHub()),
    session: await ask(zone.tokens.session('scheduler')),
    otherDevice: await ask(zone.tokens.device({ iss: 'node1', sub: 'node1' }, zone.other)),
    // The originals took a header's kid for the name of a device, and read its key from kv://
    otherDeviceAsRoot: await ask(zone.tokens.root({}, zone.other)),
  })
  const unknown = 'token/unknown-key'
  assert.equal(await verdicts(), {
    boot: 'let in', device: 'let in', root: 'token/use', verifyHub: unknown, session: unknown, otherDevice: unknown,
    otherDeviceAsRoot: 'token/use',
  })
  // The switch: that one transaction. Nothing else is written before it
  // It lies there, and makes nobody trusted
  const document = { 'devices/node1/doc': 'a document of node1' }
  await running.as(zone.tokens.device(), supervisor).create({ key: 'devices/node1/doc', value: 'x' })
    .then(() => assert.unreachable(), ({ details }: ZonewrightError) => assert.is(details['reason'], 'rbac/boot-phase'))
  await zone.boot(running, document)
  assert.equal(running.steps.filter(({ number }) => number === bootStep.normalPhase).length, 1)
  const normal = {
    boot: 'token/use', device: 'let in', root: 'let in', verifyHub: 'let in', session: 'let in', otherDevice: unknown,
    otherDeviceAsRoot: unknown,
  }
  assert.equal(await verdicts(), normal)
  // Where it could fall back: a restart, and a boot/config that somebody took away
  running.stop()
  const again = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  await zone.store.delete('kv/boot/config')
  assert.is(await again.as(zone.tokens.boot(), supervisor).get({ key: 'boot/config' })
    .then(() => 'let in', ({ details }: ZonewrightError) => details['reason']), 'token/use')
  again.stop()
}))

/** Private keys as they are written: PEM, the `d` of a JWK, and PKCS #8 of 32 bytes in hexadecimal or base64. */
const privateKeys = [
  /-----BEGIN (?:EC |RSA |ENCRYPTED |OPENSSH )?PRIVATE KEY-----[\\n\s]*[A-Za-z0-9+/]{20}/,
  /["']?\bd["']?\s*:\s*["'][A-Za-z0-9_-]{42,44}["']/,
  /302e020100300506032b6570(?:04220420)[0-9a-f]{64}/i,
  /MC4CAQAwBQYDK2VwBCIEI[A-Za-z0-9+/]{42}/,
]
const holdsKey = (text: string): boolean => privateKeys.some((pattern) => pattern.test(text))

const production = (): readonly string[] => ['runtime', 'transport', 'actors', 'boot'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs|js|json|html|css|pem|key)$/.test(name)).map((name) => `${folder}/${name}`))

real('item 5: no private key is in production code, and verify-hub does not start without its own', plain(async () => {
  const pem = known.keys.stranger.exportPem()
  for (const planted of [
    pem, JSON.stringify(pem), `{ "kty": "OKP", "d": "${'a'.repeat(43)}" }`, `const k = { d: '${'a'.repeat(43)}' }`,
    pem.split('\n')[1]!,
  ]) assert.ok(holdsKey(planted), `not found: ${planted}`)
  const files = production()
  assert.ok(files.length > 200)
  assert.equal(files.filter((path) => holdsKey(readFileSync(path, 'utf8'))), [])

  const without = await hubZone()
  for (const { key } of (await without.vaultStore.list('')).entries) {
    if (key.includes('keys/verify-hub') && !key.includes('grants')) await without.vaultStore.delete(key)
  }
  await hubFailure(VerifyHubKeyMismatch, () => without.start())
  const other = await hubZone()
  other.boot({ verifyHub: [known.keys.stranger.public.jwk] })
  await hubFailure(VerifyHubKeyMismatch, () => other.start())
}))

real('item 7: services trust verify-hub and root, ask iss, use and audience, and know no device', plain(async () => {
  const { device, verifyHub, owner } = known.keys
  const { host } = known.zone.config
  const user = known.user.username
  const { client } = await known.scene.connect(Service)
  const overLink = (token: string): Promise<string> => client.greet({ greeting: 'Hello' }, { token })
    .then(() => 'let in', (error: ZonewrightError) => String(error.details['reason']))
  const byHttp = (service: string, method: string) => async (token: string): Promise<string> => {
    const { code, reason } = await known.refusal(service, method, {}, token)
    return code === '' ? 'let in' : reason
  }
  const verifiers = [
    ['service', overLink], ['scheduler', byHttp('scheduler', 'run_thunk')],
    ['node-daemon', byHttp('node-daemon', 'ps')],
  ] as const
  for (const [aud, show] of verifiers) {
    const session = (claims: Partial<TokenClaims> = {}, by = verifyHub) => show(known.sign(by, 'session', {
      iss: 'verify-hub', sub: user, aud: [aud, 'system-config'], sid: `review-${aud}`, ...claims,
    }))
    assert.is(await session(), 'let in', aud)
    assert.is(await show(known.sign(owner, 'root', { iss: 'root', sub: 'root', aud: [aud] })), 'let in', aud)
    // A device is known in kv://, and to the daemon that signs with it
    for (const iss of [host, 'verify-hub', 'root', user]) {
      const forged = await session({ iss, sub: iss === 'root' ? 'root' : user }, device)
      assert.is(forged, 'token/unknown-key', `${aud}: ${iss}`)
    }
    assert.is(await session({ iss: 'root' }), 'token/unknown-key', `${aud}: iss`)
    assert.is(await session({ iss: host }), 'token/unknown-key', `${aud}: iss`)
    assert.is(await session({ token_use: 'refresh' }), 'token/use', `${aud}: use`)
    assert.is(await session({ token_use: 'login' }), 'token/use', `${aud}: use`)
    assert.is(await session({ aud: ['system-config'] }), 'token/audience', `${aud}: aud`)
    assert.is(await session({ sub: 'root' }), 'token/subject', `${aud}: sub`)
    assert.is(await session({ sub: `su_${user}` }), 'token/subject', `${aud}: sub`)
    const noSid = known.sign(verifyHub, 'session', { iss: 'verify-hub', sub: user, aud: [aud] })
    assert.is(await show(noSid), 'token/session', `${aud}: sid`)
  }
  known.scene.hangUp()
}))

real('item 2: the methods that the originals\' web SDK calls are there, and `login` is not', plain(async () => {
  const hub = known.client('verify-hub')
  assert.is((await hub.refusal('login', {})).code, 'UnknownMethod')
  for (const method of ['login_by_jwt', 'login_by_password', 'refresh_token', 'verify_token', 'logout']) {
    assert.is((await hub.refusal(method, {})).code, 'InvalidArgument', method)
  }
  const config = known.client('system_config', known.pair.session_token)
  for (const method of [
    'sys_config_get', 'sys_config_set', 'sys_config_create', 'sys_config_delete', 'sys_config_append',
    'sys_config_list', 'sys_config_set_by_json_path', 'sys_config_exec_tx',
  ]) assert.is((await config.refusal(method, {})).code, 'InvalidArgument', method)
  assert.is(await config.call('sys_refresh_trust_keys', {}), null)
  assert.match((await config.refusal('dump_configs_for_scheduler', {})).code, /^Denied$/)
  // The token goes in the envelope, and nowhere else: no header and no cookie says who speaks
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${known.pair.session_token}` }
  const body = JSON.stringify({ method: 'sys_config_get', params: { key: 'boot/config' }, sys: [1] })
  const { hostname, port } = known.zone.address
  const answer = await fetch(`http://${hostname}:${port}/kapi/system_config`, { method: 'POST', headers, body })
  assert.is((await answer.json() as { details: { reason: string } }).details.reason, 'token/absent')
}))

real('item 4: LOGIN_TYPE says what a role does to log in, and not whether it is let in', plain(async () => {
  // Seed: LOGIN_TYPE of each role, and SUDO_LOGIN_TYPE
  assert.equal(loginTypes, {
    'system-config': 'none', vault: 'none', ood: 'self', 'verify-hub': 'self', node: 'by-jwt', service: 'by-jwt',
    scheduler: 'by-jwt', gateway: 'by-jwt', 'client-device': 'by-jwt', user: 'by-password', sudo: 'by-jwt',
  })
  const loginOf = async (actor: string): Promise<string> => {
    const { client } = await known.scene.connect(VerifyHub, { actor })
    try {
      known.scene.keep(await client.loginByJwt({ jwt: known.scene.token('login', { appid: actor }) }))
      return 'logged in'
    } catch (error) {
      return String((error as ZonewrightError).details['reason'])
    }
  }
  assert.is(await loginOf('service'), 'logged in')
  // Of `self` by the spec; of `none` there is nothing that could log in
  assert.is(await loginOf('verify-hub'), 'login/role')
  assert.match(await loginOf('vault'), /^login\/(role|app)$/)
  assert.match(await loginOf('system-config'), /^login\/(role|app)$/)
  // What type none means is not that anybody is let in
  assert.is((await known.refusal('system_config', 'sys_config_get', { key: 'boot/config' })).reason, 'token/absent')
  const { client } = await known.scene.connect(NodeDaemon)
  const { jwt } = await client.loginToken({})
  assert.equal([partOf(jwt, 1)['token_use'], partOf(jwt, 1)['aud']], ['login', ['verify-hub']])
  known.scene.hangUp()
}))

simulated.run()
real.run()
