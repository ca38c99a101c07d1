import { supervise, worker } from '../../runtime/index.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { Driver, Echo } from './protocol.ts'
import { session, SESSION, TOKEN_KEY } from './token.ts'

export interface Zone {
  measure(method: 'mac' | 'signature', inFlight: number, ms: number): Promise<number>
  stop(): Promise<void>
}

/** Two actors by the public API, in workers that the real supervisor started. */
export async function startZone(): Promise<Zone> {
  const platform = await openPlatform()
  const key = platform.keys.generate(platform.random)
  const zone = await supervise([
    worker(Echo, new URL('./echo.ts', import.meta.url), { env: { [TOKEN_KEY]: key.public.jwk.x } }),
    worker(Driver, new URL('./driver.ts', import.meta.url), {
      env: { [SESSION]: session(key, Math.floor(platform.clock.now() / 1000)) },
    }),
  ], { platform })
  const driver = zone.get(Driver)
  return {
    measure: (method, inFlight, ms) => driver.run({ method, inFlight, ms }, { withinMs: ms + 30_000 }),
    stop: () => zone.stop(),
  }
}
