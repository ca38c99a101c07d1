import type { ActorStart } from '../../../runtime/actor.ts'
import { messageOf } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { pause } from '../../../runtime/within.ts'
import { kv } from '../../records.ts'
import { hasExpired } from '../../session.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'

export interface FollowDevicesOptions extends Pick<ActorStart, 'clock' | 'stopping' | 'log'> {
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'watch'>
  readonly token: () => string
  /** Of this host; undefined: of any, since what happened is not known. */
  readonly onDevice: (host: string | undefined) => Promise<void>
}

/** Of registrations: nothing else of a host concerns its tunnel. */
const DEVICES = { prefix: 'devices/', leaves: ['doc'] }

/** Tells of each registration that changes, until the actor stops. */
export async function followDevices(
  { clock, stopping, log, systemConfig, token, onDevice }: FollowDevicesOptions,
): Promise<void> {
  // 0: what happened since is not known
  let seen = 0
  while (!stopping.aborted) {
    try {
      if (seen === 0) {
        seen = (await systemConfig.dump({ prefixes: [kv.bootConfig] }, { token: token() })).revision
        await onDevice(undefined)
      }
      const settings = { token: token(), signal: stopping }
      for await (const { key, revision } of systemConfig.watch({ ...DEVICES, after: seen }, settings)) {
        seen = revision
        await onDevice(key.split('/')[1])
      }
    } catch (error) {
      if (!hasExpired(error)) {
        if (!stopping.aborted) log.warn(`Following the registered hosts failed: ${messageOf(error)}`)
        seen = 0
      }
    }
    await pause(clock, limits.convergeRetryMs, stopping)
  }
}
