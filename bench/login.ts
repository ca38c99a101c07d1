/**
 * Logins at verify-hub in a zone that was really booted, over a link: pairs a second, against what one signature that is
 * checked and two that are made allow on the same machine. All in turn, and medians are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogue } from '../boot/catalogue.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { worker } from '../runtime/index.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { interleaved } from './interleaved.ts'
import { LoginDriver } from './login/protocol.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const LOGINS = 1_000
const IN_FLIGHT = 64
/** Of the pairs that the signatures alone would allow. */
const SHARE_MIN = 0.6

const bench: Bench = async ({ say }) => {
  const platform = await openPlatform()
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const own = { runtimeType: 'service', manual: true, permissions: { read: [fileURLToPath(new URL('.', import.meta.url))] } }
  let zone: RunningZone | undefined
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
    const { link, bare } = await interleaved(ROUNDS, {
      link: async () => {
        const jwts = Array.from({ length: LOGINS }, tokens)
        return (await driver.login({ jwts, inFlight: IN_FLIGHT }, { withinMs: 120_000 })).micros
      },
      bare: async () => signatures(platform),
    })
    say(`one check and two signatures ${bare.toFixed(1)} µs, a login over a link ${link.toFixed(1)} µs`)
    const rows: readonly Row[] = [
      { name: 'one check and two signatures', value: 1_000_000 / bare, unit: 'pairs/s' },
      {
        name: 'login_by_jwt over a link, against the signatures', inFlight: IN_FLIGHT, value: 1_000_000 / link,
        unit: 'pairs/s', ratio: bare / link, target: SHARE_MIN,
      },
    ]
    return rows
  } finally {
    await zone?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
export default bench

/** A login token of the zone's own device for its example service, another each time. */
function tokensOf({ clock, random }: Platform, { identity: { device, zone: { epoch } }, config: { host } }: RunningZone) {
  return (): string => {
    const iat = Math.floor(clock.now() / 1000)
    return signToken(device, {
      iss: host, sub: host, aud: ['verify-hub'], iat, exp: iat + 1200, jti: toBase64url(random.bytes(16)),
      token_use: 'login', appid: LoginDriver.name, runtime_type: 'service', epoch,
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
