import { Denied, Overloaded, StartFailed, toWire, Unavailable, ZonewrightError, messageOf } from './errors.ts'
import type { Incarnation, Surroundings } from './incarnation.ts'
import type { Life } from './life.ts'
import { limits } from './limits.ts'
import type { RemoteActor, RemoteChannel } from './remote.ts'
import { deferred, type Deferred } from './within.ts'
import type { CarriageEvent, Inspection, Introduction } from './worker.ts'

type Peer = Introduction['peer']

/** Opened for an actor of this host. */
interface Carried {
  readonly by: Incarnation
  readonly gone: Deferred<boolean>
}

/** Of a caller of another host. */
interface Admitted {
  readonly by: Incarnation
  readonly id: number
  readonly callee: string
  readonly peer: Peer
}

/** What the carriers of one host hold, as its supervisor keeps account of it. */
export class Carriers {
  readonly #in: Surroundings
  readonly #carried = new Map<number, Carried>()
  /** By the carrier's incarnation and its number. */
  readonly #admitted = new Map<string, Admitted>()
  #ids = 0

  constructor(surroundings: Surroundings) {
    this.#in = surroundings
  }

  /** By that actor: what serves `protocol`, on that host or wherever. */
  by(carrier: string): (protocol: string, host?: string) => RemoteActor {
    return (protocol, host) => ({
      open: (caller) => this.#open(carrier, { protocol, caller, ...(host === undefined ? {} : { host }) }),
    })
  }

  async #open(name: string, wanted: Parameters<Incarnation['carry']>[1]): Promise<RemoteChannel> {
    const { platform } = this.#in.options
    const life = this.#in.life(name)
    if (!life.spec.carries) throw new Denied(`It may carry no links: ${name}`, { reason: 'carrier/none' })
    const by = life.current
    if (life.state !== 'serving' || !by) throw new Unavailable(`What carries links does not serve: ${name}`)
    const open = this.#carried.size
    if (open >= limits.carriedChannels) throw new Overloaded(`Too many links to other hosts: ${open}`)
    const id = ++this.#ids
    const gone = deferred<boolean>()
    this.#carried.set(id, { by, gone })
    const [end, carriersEnd] = platform.channelPair()
    try {
      const { host, incarnation } = await by.carry(id, wanted, carriersEnd)
      if (wanted.host !== undefined && host !== wanted.host) {
        throw new Denied(`${name} leads to ${host} in place of ${wanted.host}`, { reason: 'carrier/host' })
      }
      return { end, host, incarnation, gone: gone.promise, release: () => this.#release(id), carried: true }
    } catch (error) {
      this.#release(id)
      platform.openChannel(end).close('it was not carried')
      throw error
    }
  }

  /** A channel for an actor of another host. @throws Unavailable */
  accept(name: string, peer: Peer, carried: boolean): RemoteChannel {
    const life = this.#serving(name)
    const { devices, introducer, options: { host } } = this.#in
    if (!devices().some((device) => device.host === peer.host)) {
      throw new Unavailable(`The host is not known here: ${peer.host}`)
    }
    const { end, forCallee } = introducer.bare(name, peer, 'sealed', carried)
    life.tell(forCallee).catch(() => {})
    const { incarnation, over: gone } = life
    return { end, host, incarnation, gone, release: () => life.release(peer), carried }
  }

  /** A carrier tells. */
  heard({ actor, incarnation, id, ...event }: CarriageEvent): void {
    const by = this.#in.life(actor).current
    if (by?.number !== incarnation) return
    switch (event.what) {
      case 'accept': return this.#admit(by, id, event.protocol, event.caller)
      case 'released': return void this.#admitted.delete(keyOf(by, id))
      case 'gone': {
        const carried = this.#carried.get(id)
        if (carried?.by !== by) return
        this.#carried.delete(id)
        carried.gone.resolve(event.hasEnded)
      }
    }
  }

  /** Lets go of what an incarnation held that has ended, and of what was held for it. */
  ended(name: string, number: number): void {
    this.#in.introducer.gone(name)
    const is = ({ name: other, number: its }: Incarnation): boolean => other === name && its === number
    for (const [id, { by, gone }] of this.#carried) {
      if (!is(by)) continue
      this.#carried.delete(id)
      gone.resolve(false)
    }
    for (const [key, { by, id, callee, peer }] of this.#admitted) {
      if (is(by)) this.#in.life(callee).release(peer)
      else if (callee === name) by.acceptedGone(id)
      else continue
      this.#admitted.delete(key)
    }
  }

  inspect(): Required<Inspection>['channels'] {
    return { carried: this.#carried.size, accepted: this.#admitted.size, waiting: 0 }
  }

  #release(id: number): void {
    const carried = this.#carried.get(id)
    this.#carried.delete(id)
    carried?.by.releaseCarried(id)
  }

  #admit(by: Incarnation, id: number, protocol: string, peer: Peer): void {
    try {
      const { end, incarnation } = this.accept(protocol, peer, true)
      this.#admitted.set(keyOf(by, id), { by, id, callee: protocol, peer })
      by.accepted(id, { incarnation }, end)
    } catch (error) {
      const known = error instanceof ZonewrightError ? error : new StartFailed(messageOf(error))
      by.accepted(id, { error: toWire(known) }, undefined)
    }
  }

  #serving(name: string): Life {
    const absent = (): Error => new Unavailable(`It does not serve: ${name}`)
    if (!this.#in.has(name)) throw absent()
    const life = this.#in.life(name)
    if (life.state !== 'serving') throw absent()
    return life
  }
}

const keyOf = ({ name, number }: Incarnation, id: number): string => `${name} ${number} ${id}`
