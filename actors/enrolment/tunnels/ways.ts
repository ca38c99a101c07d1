import type { ActorStart } from '../../../runtime/actor.ts'
import { Denied, NotFound, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { Places, type By } from '../../../transport/tunnel/places.ts'
import type { AcceptedStream, OpenedStream, StreamRequest, TunnelEnd } from '../../../transport/tunnel/protocol.ts'
import type { LinkWanted } from './admission.ts'

/** A host that is connected to this one. */
export interface Way {
  readonly role: string
  readonly end: Pick<TunnelEnd, 'open'>
}

/** The host by whose tunnel a stream came. */
export interface Origin {
  readonly name: string
  readonly role: string
}

/** Where streams lead: to this host, to one that is connected to it, or to one that is connected to another OOD. */
export interface Ways {
  /** To an actor of this host, or beyond. @param from host whose tunnel it came by @throws Unavailable */
  lead(request: LinkWanted, from: Origin, signal: AbortSignal): Promise<AcceptedStream>
  /**
   * To the first of these hosts that there is a way to. Of what came by the tunnel of another OOD none leads on to an
   * OOD: it has asked all of them itself, and nothing goes round.
   * @param from host whose tunnel it came by; undefined: it is of this host @throws Unavailable
   */
  reach(
    request: StreamRequest, hosts: readonly string[], from?: Origin, signal?: AbortSignal,
  ): Promise<OpenedStream>
  /** Whether there may be a way to that host now: it is connected, or another OOD is. */
  leadsTo(host: string): boolean
  /** A link of this host to whatever serves that. @throws Unavailable */
  find(request: LinkWanted): Promise<OpenedStream>
}

export interface WaysOptions {
  readonly start: Pick<ActorStart, 'self' | 'accept'>
  /** Where an actor is that does not run here, and nobody says where: names of hosts. */
  readonly placed: (service: string) => Promise<readonly string[]>
  readonly held: ReadonlyMap<string, Way>
}

export function createWays({ start: { self, accept }, placed, held }: WaysOptions): Ways {
  const nothing = (what: StreamRequest, hosts: readonly string[]): Error => {
    const name = what.type === 'link' ? what.protocol : what.service
    return new Unavailable(`Nothing here leads to ${name} on ${hosts.join(' or ') || 'any host'}`)
  }
  /**
   * For whom it is led on: what another OOD says of that counts as a part of its own. Of this host there are two: who
   * comes to the gateway is anybody, and takes no places of its actors.
   */
  const forWhom = ({ type, by }: StreamRequest, from: Origin | undefined): By => {
    if (from?.role === 'ood') return [from.name, by?.at(-1) ?? from.name]
    return [from?.name ?? (type === 'http' ? `${self.host}/gateway` : self.host)]
  }
  /** Streams that wait, by another OOD, for a host of it: who answers nobody takes no places of all others there. */
  const waiting = new Map<string, { all: number; readonly places: Places }>()
  const waitFor = (to: string, host: string, by: By): (() => void) => {
    const key = `${to} ${host}`
    const one = waiting.get(key) ?? { all: 0, places: new Places() }
    const left = one.places.left(by, limits.relayWaiting - one.all)
    // Nor does who asks for it keep it from others
    if (one.places.taken(by) >= limits.relayedWaitingRatio * left) {
      const origin = by.join(', ')
      throw new Overloaded(`Too many streams wait for ${host} by ${to}: ${one.all}, and one more for ${origin}`, {
        host, origin, limit: 'relayWaiting',
      })
    }
    waiting.set(key, one)
    one.all++
    const leave = one.places.take(by)
    return () => {
      leave()
      if (--one.all === 0) waiting.delete(key)
    }
  }
  /** `to`: whose tunnel. */
  const open = async (
    to: string, host: string, request: StreamRequest, from: Origin | undefined, signal: AbortSignal | undefined,
  ): Promise<OpenedStream> => {
    const way = held.get(to)
    if (!way) throw new Unavailable(`The host is not connected: ${to}`, { host: to })
    const by = forWhom(request, from)
    const leave = to === host ? () => {} : waitFor(to, host, by)
    const opened = await way.end.open({ ...request, host, by: [...by] }, signal).finally(leave)
    if (opened.granted.host === host) return opened
    opened.channel.close('it is another host')
    throw new Denied(`${to} leads to ${opened.granted.host} in place of ${host}`, { reason: 'stream/host' })
  }
  /** All other OODs are asked at once: whose tunnel it is has it, and the others say no. */
  const ask = async (
    others: readonly string[], host: string, request: StreamRequest, from: Origin | undefined,
    signal: AbortSignal | undefined,
  ): Promise<OpenedStream> => {
    const enough = new AbortController()
    const over = AbortSignal.any(signal ? [signal, enough.signal] : [enough.signal])
    let taken: OpenedStream | undefined
    const asking = others.map(async (other) => {
      const opened = await open(other, host, request, from, over)
      // A host that has just gone from one to the other may be there twice
      if (taken) opened.channel.close('another way was faster')
      else taken = opened
      return opened
    })
    try {
      await Promise.any(asking)
      return taken!
    } catch (error) {
      const errors = (error as AggregateError).errors as readonly Error[]
      // What is more than that it is not there
      throw errors.find((one) => !(one instanceof Unavailable || one instanceof NotFound)) ?? errors[0]!
    } finally {
      enough.abort()
    }
  }

  const ways: Ways = {
    async lead(request, from, signal) {
      const { protocol, host, caller } = request
      if (host === undefined || host === self.host) {
        try {
          const { channel, incarnation, gone, release } = await accept(protocol, caller)
          void gone.then(() => channel.close('the actor has ended'))
          return { granted: { host: self.host, incarnation }, channel, release }
        } catch (error) {
          if (host !== undefined || !(error instanceof Unavailable)) throw error
        }
      }
      const hosts = host === undefined ? await placed(protocol) : [host]
      const { channel, granted } = await ways.reach(request, hosts, from, signal)
      return { granted, channel, release: () => channel.close('the caller is gone') }
    },
    async reach(request, hosts, from, signal) {
      const others = hosts.filter((host) => host !== self.host && host !== from?.name)
      const isRelayed = from?.role === 'ood'
      const direct = others.find((host) => held.has(host) && !(isRelayed && held.get(host)!.role === 'ood'))
      if (direct !== undefined) return await open(direct, direct, request, from, signal)
      if (isRelayed) throw nothing(request, others)
      let failed: unknown
      for (const host of others.slice(0, limits.relayedHosts)) {
        const oods = [...held].filter(([name, { role }]) => role === 'ood' && name !== from?.name).map(([name]) => name)
        if (oods.length === 0) break
        try {
          return await ask(oods, host, request, from, signal)
        } catch (error) {
          failed ??= error
        }
      }
      throw failed ?? nothing(request, others)
    },
    leadsTo: (host) => held.has(host) || [...held.values()].some(({ role }) => role === 'ood'),
    find: async (request) =>
      ways.reach(request, request.host === undefined ? await placed(request.protocol) : [request.host]),
  }
  return ways
}
