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

/** Tunnels to the other hosts of the control plane, until the actor ends. */
export interface Peers {
  /** Looks which there are, and begins with those that are new; of one that is gone no more is tried. */
  look(): Promise<void>
}

/** Of two the one whose name comes first dials, so that there is one tunnel between them. */
export function createPeers(options: PeersOptions): Peers {
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
  return {
    async look() {
      try {
        known = await options.servers()
      } catch (error) {
        log.warn(`The hosts of the control plane could not be read: ${messageOf(error)}`)
      }
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
    },
  }
}

/** For other hosts of the control plane, and to all what there is to tell: until the actor ends. */
export async function lookAndTell({ clock, stopping, look, tell }: Pick<ActorStart, 'clock' | 'stopping'> & {
  readonly look: () => Promise<void>; readonly tell: () => Promise<void>
}): Promise<void> {
  for (let toldMs = clock.monotonic(); !stopping.aborted;) {
    await look()
    await pause(clock, limits.oodLookMs, stopping)
    if (stopping.aborted || clock.monotonic() - toldMs < limits.tunnelTellMs) continue
    toldMs = clock.monotonic()
    await tell()
  }
}
