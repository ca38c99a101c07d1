import type { ActorStart } from '../../../runtime/actor.ts'
import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { TlsConnection } from '../../../runtime/platform/tls-ports.ts'
import { pause } from '../../../runtime/within.ts'
import { Sources } from '../sources.ts'

/** Somebody comes too often. */
export class TooManyTunnels extends Overloaded {}

/** Who may come how often, before anything is done for them. */
export interface Entrance {
  /** Of whom a certificate names, before it is judged, or of an address. @throws TooManyTunnels */
  bySource(source: string): void
  /**
   * Waits until the last tunnel of that host is long enough ago; of one host one waits or is being opened at a time.
   * @throws Overloaded; else what makes way for the next
   */
  byName(host: string): Promise<() => void>
}

export function createEntrance({ clock, stopping }: Pick<ActorStart, 'clock' | 'stopping'>): Entrance {
  const sources = new Sources(clock, limits.tunnelsPerSource)
  const coming = new Set<string>()
  /** When the last one came, the latest last. */
  const lastMs = new Map<string, number>()
  return {
    bySource(source) {
      const waitMs = sources.waitMs(source)
      if (waitMs > 0) throw new TooManyTunnels(`Too many tunnels of ${source}: wait ${Math.ceil(waitMs / 1_000)} s`)
    },
    async byName(host) {
      if (coming.has(host)) throw new Overloaded(`Another tunnel of ${host} is being opened`)
      coming.add(host)
      const waitMs = (lastMs.get(host) ?? -Infinity) + limits.tunnelAgainMs - clock.monotonic()
      if (waitMs > 0) await pause(clock, waitMs, stopping)
      lastMs.delete(host)
      // Only those of the last moment say anything
      for (const [name, ms] of lastMs) {
        if (clock.monotonic() - ms < limits.tunnelAgainMs) break
        lastMs.delete(name)
      }
      lastMs.set(host, clock.monotonic())
      return () => void coming.delete(host)
    },
  }
}

/**
 * The connection of who waits to be let in: a runtime reads on for nobody without a limit, and whoever waits has no
 * more to say than a greeting.
 */
export function waiting(connection: TlsConnection): TlsConnection {
  type Listening = Parameters<TlsConnection['receive']>
  let to: Listening | undefined
  let pieces: Uint8Array[] = []
  let bytes = 0
  let over: string | undefined
  connection.receive((piece) => {
    if (to) return to[0](piece)
    bytes += piece.length
    if (bytes > limits.tunnelGreetingBytes) {
      pieces = []
      return connection.close('too much before it is let in')
    }
    pieces.push(piece.slice())
  }, (reason) => {
    over = reason
    to?.[1](reason)
  }, () => to?.[2]?.())
  return {
    alpn: connection.alpn, remoteAddress: connection.remoteAddress,
    ...(connection.certificate ? { certificate: connection.certificate } : {}),
    get unsent() { return connection.unsent },
    send: (piece) => connection.send(piece),
    close: (reason) => connection.close(reason),
    receive(...listening) {
      to = listening
      const before = pieces
      pieces = []
      for (const piece of before) to[0](piece)
      if (over !== undefined) to[1](over)
    },
  }
}
