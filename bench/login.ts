/**
 * Logins at verify-hub in a zone that was really booted. Over a link: pairs a second, against what one signature that
 * is checked and two that are made allow on the same machine. Over HTTP: against oidc-provider, whose client brings a
 * signed assertion and gets a signed token. All in turn, and medians are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { catalogue } from '../boot/catalogue.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { worker } from '../runtime/index.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { interleaved } from './interleaved.ts'
import { tokensOf as kvTokens } from './kv/tokens.ts'
import { posts, startPeer, type Peer } from './login/http.ts'
import { LoginDriver } from './login/protocol.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const LOGINS = 1_000
const IN_FLIGHT = 64
/** Of the pairs that the signatures alone would allow. */
const SHARE_MIN = 0.6
const HTTP_LOGINS = 300
const CONNECTIONS = 32
/** Times what oidc-provider does. */
const PEER_MIN = 10
/** A service that is a program: its login comes by HTTP. Nothing has to run for that. */
const PROGRAM = 'tool'
const PLACED_MS = 30_000

const bench: Bench = async ({ say }) => {
  const platform = await openPlatform()
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const permissions = { read: [fileURLToPath(new URL('.', import.meta.url))] }
  const own = { runtimeType: 'service', manual: true, permissions }
  let zone: RunningZone | undefined
  let peer: Peer | undefined
  try {
    zone = await up({
      platform, folder,
      actors: (stores, config) => [
        ...catalogue(stores, config).filter(({ protocol }) => protocol.name !== LoginDriver.name),
        worker(LoginDriver, new URL('./login/driver.ts', import.meta.url), own),
      ],
    })
    const driver = zone.get(LoginDriver)
    const tokens = tokensOf(platform, zone)
    await install(zone, (await kvTokens(platform, zone)).root)
    peer = await startPeer(platform)
    const { address: { port: gateway } } = zone
    const { port, body } = peer
    const { link, bare, http, oidc } = await interleaved(ROUNDS, {
      http: () => posts(gateway, '/kapi/verify-hub', 'application/json', many(HTTP_LOGINS, () =>
        JSON.stringify({ method: 'login_by_jwt', params: { jwt: tokens(PROGRAM) }, sys: [1] })), CONNECTIONS),
      oidc: () => posts(port, '/token', 'application/x-www-form-urlencoded', many(HTTP_LOGINS, body), CONNECTIONS),
      link: async () => {
        const jwts = many(LOGINS, () => tokens(LoginDriver.name))
        return (await driver.login({ jwts, inFlight: IN_FLIGHT }, { withinMs: 120_000 })).micros
      },
      bare: async () => signatures(platform),
    })
    say(`one check and two signatures ${bare.toFixed(1)} µs, a login over a link ${link.toFixed(1)} µs`)
    say(`over HTTP ${http.toFixed(1)} µs, oidc-provider ${oidc.toFixed(1)} µs`)
    const rows: readonly Row[] = [
      { name: 'one check and two signatures', value: 1_000_000 / bare, unit: 'pairs/s' },
      {
        name: 'login_by_jwt over a link, against the signatures', inFlight: IN_FLIGHT, value: 1_000_000 / link,
        unit: 'pairs/s', ratio: bare / link, target: SHARE_MIN,
      },
      { name: 'oidc-provider, client credentials', inFlight: CONNECTIONS, value: 1_000_000 / oidc, unit: 'tokens/s' },
      {
        name: 'login_by_jwt over HTTP, against oidc-provider', inFlight: CONNECTIONS, value: 1_000_000 / http,
        unit: 'pairs/s', ratio: oidc / http, target: PEER_MIN,
      },
    ]
    return rows
  } finally {
    peer?.stop()
    await zone?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
export default bench

const many = (count: number, make: () => string): string[] => Array.from({ length: count }, make)

/** Installs a program, and waits until the scheduler has placed it. */
async function install(zone: RunningZone, root: () => string): Promise<void> {
  const config = zone.get(SystemConfig)
  const spec = {
    name: PROGRAM, appid: PROGRAM, owner: null, runtimeType: 'service', kernel: false, audiences: [],
    run: { command: ['/nowhere'] },
  }
  await config.create({ key: kv.spec(PROGRAM), value: JSON.stringify(spec) }, { token: root() })
  const began = performance.now()
  for (;;) {
    const node = await config.get({ key: kv.node(zone.config.host) }, { token: root() })
    if (node?.value.includes(`"${PROGRAM}"`)) return
    if (performance.now() - began > PLACED_MS) throw new Error('The scheduler has not placed it')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A login token of the zone's own device for one of its services, another each time. */
function tokensOf({ clock, random }: Platform, { identity, config: { host } }: RunningZone) {
  const { device, zone: { epoch } } = identity
  return (appid: string): string => {
    const iat = Math.floor(clock.now() / 1000)
    return signToken(device, {
      iss: host, sub: host, aud: ['verify-hub'], iat, exp: iat + 1200, jti: toBase64url(random.bytes(16)),
      token_use: 'login', appid, runtime_type: 'service', epoch,
    })
  }
}

/** Microseconds of what no login can do without, of texts as long as those of a login. */
function signatures({ keys, random }: Platform): number {
  const key = keys.generate(random)
  const verify = keys.importJwk(key.public.jwk)
  const text = random.bytes(420)
  const signed = key.sign(text)
  const began = performance.now()
  for (let index = 0; index < LOGINS; index++) {
    if (!verify.verify(text, signed)) throw new Error('A signature does not match')
    key.sign(text)
    key.sign(text)
  }
  return (performance.now() - began) * 1_000 / LOGINS
}
