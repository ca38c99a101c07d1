import type { ActorStart } from './actor.ts'
import type { Accepted, Carrier, Granted, Wanted } from './carrier.ts'
import { Denied, fromWire, InvalidArgument, messageOf, Overloaded, Unavailable, type WireError } from './errors.ts'
import { limits } from './limits.ts'
import { closeReason } from './platform/port-close.ts'
import type { Channel, Clock, Platform } from './platform/ports.ts'
import { deferred, within, type Deferred } from './within.ts'
import type { CarriageEvent, Inspection, Introduction } from './worker.ts'

type Peer = Introduction['peer']
type Without<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never
type Told = Without<CarriageEvent, 'actor' | 'incarnation'>

export interface CarriageOptions {
  /** Of the spec: without it nothing is carried. */
  readonly carries: boolean
  readonly actor: string
  readonly clock: Clock
  readonly openChannel: Platform['openChannel']
  readonly emit: (event: Told) => void
}

/** Of an actor without a supervisor, which carries nothing. */
export const noCarriage: Pick<ActorStart, 'carry' | 'accept'> = {
  carry: () => { throw carriesNothing('it') },
  accept: async () => { throw carriesNothing('it') },
}

/** What a supervisor answers to who wants to come in. */
export type AcceptOutcome = { readonly incarnation: number } | { readonly error: WireError }

/** The channels that one actor carries to other hosts and from them, in its worker. */
export class Carriage {
  readonly #options: CarriageOptions
  /** Opened for actors of this host, by the supervisor's number. */
  readonly #carried = new Map<number, Channel>()
  /** For callers of other hosts, by our own number. */
  readonly #accepting = new Map<number, Deferred<Accepted>>()
  readonly #accepted = new Map<number, { readonly channel: Channel; readonly gone: Deferred<void> }>()
  #carrier: Carrier | undefined
  #ids = 0
  #closed: Error | undefined

  constructor(options: CarriageOptions) {
    this.#options = options
  }

  /** @throws Denied, InvalidArgument */
  readonly register = (carrier: Carrier): void => {
    this.#assertCarries()
    if (this.#carrier) throw new InvalidArgument(`${this.#options.actor} carries already`)
    this.#carrier = carrier
  }

  /** @throws Denied, Overloaded, Unavailable */
  readonly accept = async (protocol: string, caller: Peer): Promise<Accepted> => {
    this.#assertCarries()
    if (this.#closed) throw this.#closed
    const waiting = this.#accepting.size
    if (waiting >= limits.carrierAccepts) throw new Overloaded(`Too many callers wait to be accepted: ${waiting}`)
    const held = this.#accepted.size + waiting
    if (held >= limits.carriedChannels) throw new Overloaded(`Too many callers of other hosts: ${held}`)
    const id = ++this.#ids
    const accepted = deferred<Accepted>()
    this.#accepting.set(id, accepted)
    this.#options.emit({ what: 'accept', id, protocol, caller })
    const late = (): Error => new Unavailable(`Nobody accepted the caller in time: ${protocol}`)
    try {
      return await within(this.#options.clock, limits.carrierAcceptMs, accepted.promise, late)
    } finally {
      this.#accepting.delete(id)
    }
  }

  /** For an actor of this host. @throws what the carrier does */
  async carry(id: number, wanted: Wanted, end: unknown): Promise<Granted> {
    const carrier = this.#carrier
    const channel = this.#hold(end, (reason) => {
      this.#carried.delete(id)
      this.#options.emit({ what: 'gone', id, hasEnded: reason === closeReason.ended })
    })
    this.#carried.set(id, channel)
    try {
      if (this.#closed) throw this.#closed
      if (!carrier) throw new Unavailable(`${this.#options.actor} carries nothing yet`)
      const { host, incarnation, gone } = await carrier.open(wanted, channel)
      const over = (): void => channel.close('what was called is gone')
      gone.then(over, over)
      if (!this.#carried.has(id)) throw new Unavailable(`The way to ${wanted.protocol} is closed already`)
      return { host, incarnation }
    } catch (error) {
      channel.close(messageOf(error))
      throw error
    }
  }

  /** The caller is gone. */
  release(id: number): void {
    this.#carried.get(id)?.close('the caller is gone')
  }

  /** The supervisor's answer to one that waits. */
  answer(id: number, outcome: AcceptOutcome, end: unknown): void {
    const waiting = this.#accepting.get(id)
    this.#accepting.delete(id)
    if ('error' in outcome) return waiting?.reject(fromWire(outcome.error))
    const gone = deferred<void>()
    const channel = this.#hold(end, () => {
      this.#accepted.delete(id)
      this.#options.emit({ what: 'released', id })
    })
    this.#accepted.set(id, { channel, gone })
    if (!waiting) return channel.close('nobody waits for it any more')
    const { incarnation } = outcome
    waiting.resolve({ channel, incarnation, gone: gone.promise, release: () => channel.close('the caller is gone') })
  }

  /** That incarnation has ended. */
  gone(id: number): void {
    const held = this.#accepted.get(id)
    held?.gone.resolve()
    held?.channel.close(closeReason.ended)
  }

  close(error: Error): void {
    this.#closed ??= error
    for (const waiting of this.#accepting.values()) waiting.reject(error)
    for (const channel of [...this.#carried.values()]) channel.close(error.message)
    for (const { channel, gone } of [...this.#accepted.values()]) {
      channel.close(error.message)
      gone.resolve()
    }
  }

  /** Nothing of an actor that carries nothing. */
  inspect(): Pick<Inspection, 'channels'> {
    if (!this.#options.carries) return {}
    return { channels: { carried: this.#carried.size, accepted: this.#accepted.size, waiting: this.#accepting.size } }
  }

  #assertCarries(): void {
    const { carries, actor } = this.#options
    if (!carries) throw carriesNothing(actor)
  }

  /** The channel over an end. `onOver` runs once, whichever side closes it. */
  #hold(end: unknown, onOver: (reason: string) => void): Channel {
    const { clock, openChannel } = this.#options
    const channel = openChannel(end)
    let open = true
    const over = (reason: string): void => {
      if (!open) return
      open = false
      onOver(reason)
    }
    return {
      kind: channel.kind,
      send: (frame) => channel.send(frame),
      receive(onFrame, onClose) {
        if (!open) return clock.soon(() => onClose('it was closed already'))
        channel.receive(onFrame, (reason) => {
          over(reason)
          // Of an actor that could say nothing more, this host knows all the same what that means
          onClose(reason === closeReason.alone ? closeReason.ended : reason)
        })
      },
      close(reason) {
        over(reason)
        channel.close(reason)
      },
    }
  }
}

const carriesNothing = (actor: string): Error =>
  new Denied(`The spec says nothing of links that are carried by ${actor}`, { reason: 'carrier/none' })
