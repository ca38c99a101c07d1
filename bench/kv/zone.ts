import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { catalogue } from '../../boot/catalogue.ts'
import { up, type RunningZone } from '../../boot/up.ts'
import { worker } from '../../runtime/index.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Client } from '../../runtime/protocol.ts'
import { DEVICE, DEVICE_KEY } from './bare.ts'
import { key, value } from './payload.ts'
import { Bare, KvDriver } from './protocol.ts'
import { tokensOf, type Tokens } from './tokens.ts'

export interface KvZone extends Tokens {
  readonly driver: Client<typeof KvDriver>
}

/**
 * Lets `work` use a zone that `up` boots in a folder of its own. Its catalogue has a driver and a bare actor beside all
 * else, each in a worker of its own, as system-config is.
 */
export async function inKvZone<T>(work: (zone: KvZone) => Promise<T>): Promise<T> {
  const platform = await openPlatform()
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  // Their modules lie beside them, where a worker on Deno reads nothing by itself
  const own = { manual: true, permissions: { read: [fileURLToPath(new URL('..', import.meta.url))] } }
  let zone: RunningZone | undefined
  try {
    zone = await up({
      platform, folder,
      actors: (stores, config) => [
        ...catalogue(stores, config),
        worker(Bare, new URL('./bare.ts', import.meta.url), own),
        worker(KvDriver, new URL('./driver.ts', import.meta.url), own),
      ],
    })
    const { config, identity } = zone
    await zone.start(Bare.name, { env: { [DEVICE]: config.host, [DEVICE_KEY]: identity.device.public.jwk.x } })
    await zone.start(KvDriver.name)
    const tokens = await tokensOf(platform, zone)
    await zone.get(SystemConfig).set({ key, value }, { token: tokens.session() })
    return await work({ driver: zone.get(KvDriver), ...tokens })
  } finally {
    await zone?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
