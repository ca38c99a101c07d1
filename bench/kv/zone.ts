import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { catalogue } from '../../boot/catalogue.ts'
import { up } from '../../boot/up.ts'
import { worker } from '../../runtime/index.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Client } from '../../runtime/protocol.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { DEVICE, DEVICE_KEY } from './bare.ts'
import { key, value } from './payload.ts'
import { Bare, KvDriver } from './protocol.ts'

export interface KvZone {
  readonly driver: Client<typeof KvDriver>
  /** The device's own session, as the node daemon makes it. */
  token(): string
  stop(): Promise<void>
}

/** A zone that `up` boots in a folder of its own, with the driver and the bare actor in its catalogue, in their own workers. */
export async function bootKvZone(): Promise<KvZone> {
  const platform = await openPlatform()
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const zone = await up({
    platform, folder,
    actors: (stores, config) => [
      ...catalogue(stores, config),
      worker(Bare, new URL('./bare.ts', import.meta.url), { manual: true }),
      worker(KvDriver, new URL('./driver.ts', import.meta.url), { manual: true }),
    ],
  }).catch((error: unknown) => {
    remove()
    throw error
  })
  const { identity: { device, zone: { epoch } }, config: { host } } = zone
  const token = (): string => {
    const iat = Math.floor(platform.clock.now() / 1000)
    return signToken(device, {
      iss: host, sub: host, aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.session,
      jti: toBase64url(platform.random.bytes(16)), token_use: 'session', appid: 'node-daemon', runtime_type: 'ood', epoch,
    })
  }
  await zone.start(Bare.name, { env: { [DEVICE]: host, [DEVICE_KEY]: device.public.jwk.x } })
  await zone.start(KvDriver.name)
  await zone.get(SystemConfig).set({ key, value }, { token: token() })
  return {
    driver: zone.get(KvDriver),
    token,
    async stop() {
      await zone.stop()
      remove()
    },
  }
}
