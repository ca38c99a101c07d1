/** Two ends of a tunnel over some channel, and what each was asked. */
import { systemClock } from '../runtime/platform/clock.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import type { Clock } from '../runtime/platform/ports.ts'
import type { Channel } from '../transport/channel.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import type { AcceptedStream, StreamRequest, TunnelEnd, TunnelOptions } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'

export const link = (protocol: string): StreamRequest => ({
  type: 'link', protocol, caller: { host: 'near', actor: 'caller', incarnation: 1 },
})

/** The other ends of the streams that were accepted, by what they were asked for. */
export interface Accepting {
  readonly channels: Map<string, Channel>
  released: number
}

export type Change = Partial<Omit<TunnelOptions, 'channel' | 'role'>>

/** As a host that grants whatever is asked. */
export function optionsOf(host: string, clock: Clock = systemClock): Omit<TunnelOptions, 'channel' | 'role'> & {
  readonly accepting: Accepting
} {
  const accepting: Accepting = { channels: new Map(), released: 0 }
  return {
    accepting, clock, random: systemRandom, hello: { zone: 'zone.test', host },
    onHello: async () => {}, onTell: async () => {}, onRenew: async () => {},
    async onOpen(request): Promise<AcceptedStream> {
      const [inner, outer] = memoryChannelPair(clock)
      accepting.channels.set(request.type === 'link' ? request.protocol : request.service, outer)
      return { granted: { host, incarnation: 7 }, channel: inner, release: () => { accepting.released++ } }
    },
  }
}

export interface TunnelPair {
  readonly near: TunnelEnd
  readonly far: TunnelEnd
  readonly atNear: Accepting
  readonly atFar: Accepting
}

export async function tunnelPair(
  [left, right]: readonly [Channel, Channel], nearChange: Change = {}, farChange: Change = {},
): Promise<TunnelPair> {
  const [ofNear, ofFar] = [optionsOf('near', nearChange.clock), optionsOf('far', farChange.clock)]
  const [near, far] = await Promise.all([
    openTunnel({ ...ofNear, ...nearChange, channel: left, role: 'dialer' }),
    openTunnel({ ...ofFar, ...farChange, channel: right, role: 'listener' }),
  ])
  return { near, far, atNear: ofNear.accepting, atFar: ofFar.accepting }
}

export const memoryTunnel = (near?: Change, far?: Change): Promise<TunnelPair> =>
  tunnelPair(memoryChannelPair(systemClock), near, far)
