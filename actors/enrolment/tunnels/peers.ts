import type { ActorStart } from '../../../runtime/actor.ts'
import { messageOf } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { backoffMs } from '../../../runtime/restart.ts'
import { pause } from '../../../runtime/within.ts'
import { serverOf, type Server } from '../../host-identity.ts'

export interface PeersOptions extends Pick<ActorStart, 'self' | 'clock' | 'random' | 'stopping' | 'log'> {
  /** The hosts of the control plane: where each is reached. */
  readonly servers: () => Promise<ReadonlyMap<string, readonly string[]>>
  /** Settles when the tunnel to that one is over. @throws what there was in its way */
  readonly dial: (ood: string, server: Server, signal: AbortSignal) => Promise<void>
}

const RETRY = { min: limits.oodRetryMsMin, max: limits.oodRetryMsMax }
/** A tunnel that lasted so long was a good one: the next failure is the first again. */
const GOOD_MS = 30_000

/**
 * Keeps a tunnel to each other host of the control plane, until the actor ends. Of two the one whose name comes first
 * dials, so that there is one between them.
 */
export async function keepPeers(options: PeersOptions): Promise<void> {
  const { self, clock, random, stopping, log, dial } = options
  let known: ReadonlyMap<string, readonly string[]> = new Map()
  const going = new Map<string, AbortController>()
  const keep = async (ood: string, signal: AbortSignal): Promise<void> => {
    const jitter = random.fork(`tunnel to ${ood}`)
    let failures = 0
    for (let at = 0; !signal.aborted; at++) {
      const servers = known.get(ood) ?? []
      const server = servers[at % Math.max(1, servers.length)]
      const began = clock.monotonic()
      try {
        if (server !== undefined) await dial(ood, serverOf(server), signal)
      } catch (error) {
        if (failures === 0 && !signal.aborted) log.warn(`No way to ${ood}: ${messageOf(error)}`, { server: server! })
      }
      failures = clock.monotonic() - began > GOOD_MS ? 0 : failures + 1
      await pause(clock, backoffMs(jitter, Math.max(0, failures - 1), RETRY), signal)
    }
  }
  while (!stopping.aborted) {
    known = await options.servers().catch((error: unknown) => {
      log.warn(`The hosts of the control plane could not be read: ${messageOf(error)}`)
      return known
    })
    for (const [ood, ending] of going) {
      if (known.has(ood)) continue
      ending.abort()
      going.delete(ood)
    }
    for (const ood of known.keys()) {
      if (ood <= self.host || going.has(ood)) continue
      const ending = new AbortController()
      going.set(ood, ending)
      void keep(ood, AbortSignal.any([stopping, ending.signal]))
    }
    await pause(clock, limits.oodLookMs, stopping)
  }
}
