import { kv } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { file } from '../../boot/init.ts'
import type { RunningZone } from '../../boot/up.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import type { ActorEvent } from '../../runtime/trace.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { bootIn, HOST, simulateZones } from '../boot-fixtures/simulated.ts'
import { pause } from '../runtime/sim-fixture.ts'

/** uvu's own would compare texts by a clock, which is a trap there. */
export function is(actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`Expected ${expected}: ${actual}`)
}

/** A booted zone in virtual time, to which things happen. */
export interface SimulatedZone {
  readonly world: World
  readonly zone: RunningZone
  readonly platform: Platform
  readonly deaths: readonly string[]
  rootToken(ageSeconds?: number): Promise<string>
  /** `allowed`, or why a read by this token was refused. */
  asked(token: string): Promise<string>
  /** Virtual milliseconds until the daemon, the scheduler and a login have each done their part. */
  worked(): Promise<number>
}

export async function inZone(seed: number, run: (live: SimulatedZone) => Promise<void>): Promise<void> {
  let fault: unknown
  await simulateZones({ seed }, async (world) => {
    const deaths: string[] = []
    const { zone, error, process: { platform } } = await bootIn(world, {
      watch: (trace) => trace.on('actor', ({ actor, state, reason }: ActorEvent) => {
        if (state === 'died' || state === 'failed') deaths.push(`${actor}: ${reason}`)
      }),
    })
    try {
      if (!zone) throw error ?? new Error('It did not boot')
      const rootToken = (ageSeconds = 0) => tokenOf(zone, platform, ageSeconds)
      const asked = (token: string): Promise<string> => zone.get(SystemConfig).get({ key: kv.bootConfig }, { token })
        .then(() => 'allowed', (error: unknown) => String((error as ZonewrightError).details['reason']))
      await run({ world, zone, platform, deaths, rootToken, asked, worked: () => worked(world, zone, rootToken) })
    } catch (thrown) {
      fault = thrown instanceof ZonewrightError ? new Error(`${thrown.code}: ${thrown.message}`) : thrown
    }
    await zone?.stop()
  })
  if (fault) throw fault
}

async function tokenOf(zone: RunningZone, { keys, clock, random }: Platform, ageSeconds: number): Promise<string> {
  const pem = new TextDecoder().decode((await zone.files.read(file.ownerKey))!)
  const iat = Math.floor(clock.now() / 1000) - ageSeconds
  return signToken(keys.importPem(pem), {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
}

/** The owner stops the service in its host's config; the scheduler wants it back, and it logs in anew. */
async function worked(world: World, zone: RunningZone, rootToken: () => Promise<string>): Promise<number> {
  const began = world.clock.monotonic()
  const key = kv.node(HOST)
  const systemConfig = zone.get(SystemConfig)
  const incarnation = (): number => zone.list().find(({ name }) => name === 'service')?.incarnation ?? 0
  const state = (): string => zone.list().find(({ name }) => name === 'service')?.state ?? ''
  const before = incarnation()
  const token = await rootToken()
  const config = JSON.parse((await systemConfig.get({ key }, { token }))!.value)
  config.services.service.target = 'stopped'
  await systemConfig.set({ key, value: JSON.stringify(config) }, { token })
  while (incarnation() === before || state() !== 'serving') {
    if (world.clock.monotonic() - began > 10 * 60_000) throw new Error('It stands still')
    await pause(world, 100)
  }
  return world.clock.monotonic() - began
}
