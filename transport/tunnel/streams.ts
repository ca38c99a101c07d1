import { safeParse } from 'valibot'
import { Cancelled, DeadlineExceeded, InvalidArgument, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel, Clock, Frame } from '../../runtime/platform/ports.ts'
import { deferred, type Deferred } from '../../runtime/within.ts'
import {
  asText, DATA, faultOf, ID_MAX, thrownOf, violation, type Control, type ControlOf, type StreamMessage,
} from './messages.ts'
import type { Source } from './outbox.ts'
import { Held, type Kind } from './held.ts'
import { Places, type By } from './places.ts'
import { StreamRequest, type AcceptedStream, type OpenedStream, type StreamGranted } from './protocol.ts'
import { splice } from './splice.ts'
import { Stream } from './stream.ts'
import type { StreamGround } from './ground.ts'

export interface StreamsGround {
  readonly role: 'dialer' | 'listener'
  readonly clock: Clock
  readonly peerWindow: number
  /** To whom the tunnel is. */
  readonly peer: string
  say(message: Control): void
  send(message: Frame): void
  ready(source: Source): void
  onOpen(request: StreamRequest, signal: AbortSignal): Promise<AcceptedStream>
}

interface Entry {
  readonly stream: Stream
  /** Of a stream that is not open yet: who here waits for the answer, or decides about it. */
  asked?: Deferred<StreamGranted>
  deciding?: AbortController
  linger?: Cancel
  /** Of one that is led on for somebody: gives its place back. */
  leave?: () => void
}

/** The streams of one tunnel. What comes for one that is over, by an id that is here no more, is dropped. */
export class Streams implements StreamGround {
  readonly window = limits.tunnelWindowBytes
  readonly peerWindow: number
  readonly #ground: StreamsGround
  readonly #entries = new Map<number, Entry>()
  /** The last id that this end used, and that the other did. */
  #ours: number
  #theirs: number
  #deciding = 0
  readonly #held = new Held()
  /** For whom this end has opened streams, and for whom of these it waits for an answer. */
  readonly #places = { open: new Places(), waiting: new Places() }
  #waiting = 0
  #closed: string | undefined

  constructor(ground: StreamsGround) {
    this.#ground = ground
    this.peerWindow = ground.peerWindow
    const dialer = ground.role === 'dialer'
    this.#ours = dialer ? -1 : 0
    this.#theirs = dialer ? 0 : -1
  }

  get size(): number { return this.#entries.size }

  get held(): number { return this.#held.load.unread + this.#held.load.backlog }

  /** @throws what `TunnelEnd.open` does */
  async open(request: StreamRequest, signal?: AbortSignal): Promise<OpenedStream> {
    if (this.#closed !== undefined) throw new Unavailable(`The tunnel is closed: ${this.#closed}`)
    if (signal?.aborted) throw new Cancelled('The stream was not opened: it was cancelled')
    if (!safeParse(StreamRequest, request).success) throw new InvalidArgument('A stream to nothing that there could be')
    if (this.#entries.size >= limits.tunnelStreams) {
      throw new Overloaded(`The tunnel has ${limits.tunnelStreams} streams already`)
    }
    if (this.#ours + 2 > ID_MAX) throw new Unavailable('The tunnel has no ids left')
    const { by = [] } = request
    if (by.length > 0) this.#demandPlaces(by)
    const answered = this.#places.waiting.take(by)
    const id = this.#ours += 2
    const entry: Entry = {
      stream: new Stream(id, this, by), asked: deferred<StreamGranted>(), leave: this.#places.open.take(by),
    }
    this.#entries.set(id, entry)
    this.#waiting++
    let isBack = false
    const takeBack = (error: Error): void => {
      if (this.#entries.get(id) !== entry || !entry.asked) return
      this.close(entry.stream, 'it was taken back')
      entry.asked.reject(error)
    }
    const leave = (): void => {
      answered()
      this.#waiting--
    }
    const cancelled = (): void => {
      isBack = true
      takeBack(new Cancelled('The stream was cancelled before it was open'))
    }
    const late = this.#ground.clock.after(limits.tunnelOpenMs, () =>
      takeBack(new DeadlineExceeded(`No answer about a stream within ${limits.tunnelOpenMs} ms`)))
    signal?.addEventListener('abort', cancelled)
    this.#ground.say({ t: 'open', id, request })
    try {
      return { channel: entry.stream, granted: await entry.asked!.promise }
    } finally {
      late()
      signal?.removeEventListener('abort', cancelled)
      // The other end has yet to hear of it: who asks and takes back fills no tunnel with that
      if (isBack && by.length > 0 && this.#closed === undefined) this.#ground.clock.after(limits.relayedBackMs, leave)
      else leave()
    }
  }

  /** Whoever it is for takes a part of what is free at most: there is always some for others. @throws Overloaded */
  #demandPlaces(by: By): void {
    const { open, waiting } = this.#places
    const refuse = (what: string, limit: keyof typeof limits): never => {
      const [who, where] = [by.join(', '), this.#ground.peer]
      throw new Overloaded(`Too many streams for ${who} ${what} by the tunnel to ${where}: ${limit}`, {
        origin: who, host: where, limit,
      })
    }
    const free = open.left(by, limits.tunnelStreams - this.#entries.size)
    if (open.taken(by) >= Math.min(limits.relayedPerOrigin, free / limits.relayedPart)) refuse('go', 'relayedPerOrigin')
    const others = waiting.left(by, limits.tunnelOpening - this.#waiting)
    if (waiting.taken(by) >= limits.relayedWaitingRatio * others) refuse('wait', 'relayedWaitingRatio')
  }

  // ---- what the other end says

  /** @throws TunnelViolation */
  wanted({ id, request }: ControlOf<'open'>): void {
    if (id % 2 !== Math.abs(this.#theirs % 2) || id <= this.#theirs) throw violation('a stream with an id out of turn')
    this.#theirs = id
    if (this.#entries.size >= limits.tunnelStreams || this.#deciding >= limits.tunnelOpening) {
      return this.#refuse(id, new Overloaded('The tunnel has as many streams as it may have'))
    }
    const entry: Entry = { stream: new Stream(id, this, request.by ?? []), deciding: new AbortController() }
    this.#entries.set(id, entry)
    void this.#decide(entry, request)
  }

  async #decide(entry: Entry, request: StreamRequest): Promise<void> {
    const { stream, deciding } = entry
    const isWanted = (): boolean => this.#entries.get(stream.id) === entry
    this.#deciding++
    let accepted: AcceptedStream
    try {
      accepted = await this.#ground.onOpen(request, deciding!.signal)
    } catch (error) {
      if (!isWanted()) return
      this.#remove(stream.id, entry)
      return this.#refuse(stream.id, error)
    } finally {
      this.#deciding--
    }
    const { channel, granted, release } = accepted
    if (!isWanted()) {
      channel.close('the other end has gone')
      return release()
    }
    delete entry.deciding
    this.#ground.say({ t: 'opened', id: stream.id, granted })
    splice(stream, channel, release)
  }

  #refuse(id: number, error: unknown): void {
    this.#ground.say({ t: 'refused', id, error: faultOf(error) })
  }

  /** @throws TunnelViolation */
  opened({ id, granted }: ControlOf<'opened'>): void {
    this.#answered(id)?.resolve(granted)
  }

  /** @throws TunnelViolation */
  refused({ id, error }: ControlOf<'refused'>): void {
    const entry = this.#entries.get(id)
    const asked = this.#answered(id)
    if (!asked) return
    this.#remove(id, entry!)
    asked.reject(thrownOf(error))
  }

  /** Undefined when it was taken back meanwhile. */
  #answered(id: number): Deferred<StreamGranted> | undefined {
    const entry = this.#find(id)
    if (this.#isTheirs(id)) throw violation('an answer to its own question')
    if (!entry) return undefined
    const { asked } = entry
    if (!asked) throw violation('a second answer about a stream')
    delete entry.asked
    return asked
  }

  /** @throws TunnelViolation */
  ended({ id, reason }: ControlOf<'close'>): void {
    const entry = this.#find(id)
    if (!entry) return
    if (entry.asked) throw violation('a close where an answer was due')
    this.#remove(id, entry)
    if (entry.deciding) entry.deciding.abort()
    else entry.stream.ended(reason)
  }

  /** @throws TunnelViolation */
  take({ kind, id, flags, piece, amount }: StreamMessage): void {
    const entry = this.#find(id)
    if (!entry) return
    if (entry.asked || entry.deciding) throw violation('bytes of a stream that is not open')
    if (kind === DATA) entry.stream.take(flags, piece)
    else entry.stream.credit(amount)
  }

  /** Undefined when it is over. @throws TunnelViolation when it never was */
  #find(id: number): Entry | undefined {
    if (id > (this.#isTheirs(id) ? this.#theirs : this.#ours)) throw violation('a stream that nobody opened')
    return this.#entries.get(id)
  }

  #isTheirs(id: number): boolean {
    return (id % 2 === 1) === (this.#ground.role === 'listener')
  }

  #remove(id: number, entry: Entry): void {
    entry.linger?.()
    entry.leave?.()
    this.#entries.delete(id)
  }

  /** The tunnel is gone: what has come is still read. */
  cut(reason: string): void {
    this.#closed = reason
    for (const [id, entry] of [...this.#entries]) {
      this.#remove(id, entry)
      if (entry.asked) entry.asked.reject(new Unavailable(`The tunnel is closed: ${reason}`))
      else if (entry.deciding) entry.deciding.abort()
      else entry.stream.ended(reason)
    }
  }

  // ---- of the streams

  send(message: Frame): void { this.#ground.send(message) }
  ready(source: Source): void { this.#ground.ready(source) }
  soon(task: () => void): void { this.#ground.clock.soon(task) }

  hold(stream: Stream, kind: Kind, bytes: number): void { this.#held.add(stream, kind, bytes) }
  relieve(): void { this.#held.relieve() }

  lingers(stream: Stream): void {
    const entry = this.#entries.get(stream.id)
    if (entry) entry.linger = this.#ground.clock.after(limits.tunnelLingerMs, () => stream.cut())
  }

  close({ id }: Stream, reason: string): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    this.#remove(id, entry)
    this.#ground.say({ t: 'close', id, reason: asText(reason) })
  }
}
