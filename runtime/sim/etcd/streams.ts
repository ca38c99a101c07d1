import { Compacted } from '../../errors.ts'
import type { Change } from '../../store/change.ts'
import type { Event } from '../../store/store.ts'
import { delays } from '../delays.ts'
import type { SeededRandom } from '../random.ts'
import type { Lane } from '../schedule.ts'
import type { SimulatedThread } from '../thread.ts'
import type { Contents } from './contents.ts'
import type { Keyspace } from './keyspace.ts'
import type { Wire } from './wire.ts'

/** The server's half of one watch. */
export interface Stream {
  readonly thread: SimulatedThread
  readonly lane: Lane
  readonly keyspace: Keyspace
  /** Of the cluster's keys. */
  readonly prefix: string
  /** The last revision that it has. */
  readonly after: number
  /** False when the client has left it. */
  live: boolean
  /** Messages that have not arrived. */
  onWay: number
  /** What is on its way does not arrive. */
  lost: boolean
  /** Both run in the thread. */
  readonly onEvents: (events: readonly Event[]) => void
  /** Compacted, or nothing when the stream broke. */
  readonly onEnd: (reason: Error | undefined) => void
}

export interface Begun {
  readonly revision: number
  readonly past: readonly Event[]
}

/** The watches that the server feeds. */
export class Streams {
  readonly #wire: Wire
  readonly #contents: Contents
  readonly #random: SeededRandom
  readonly #open = new Set<Stream>()

  constructor(wire: Wire, contents: Contents, random: SeededRandom) {
    this.#wire = wire
    this.#contents = contents
    this.#random = random
  }

  /** @throws Compacted */
  begin(stream: Stream): Begun {
    const past = this.#contents.since(stream.after).flatMap((change) => eventsFor(stream, change))
    if (stream.live && stream.thread.alive) this.#open.add(stream)
    return { revision: this.#contents.revision, past }
  }

  leave(stream: Stream): void {
    stream.live = false
    this.#open.delete(stream)
  }

  publish(change: Change): void {
    for (const stream of this.#alive()) {
      const events = eventsFor(stream, change)
      if (events.length === 0) continue
      stream.onWay++
      const payload = `${change.revision} ${events.length}`
      this.#wire.deliver(stream.thread, stream.lane, 'etcd-events', payload, () => {
        stream.onWay--
        if (!stream.lost) stream.onEvents(events)
      })
    }
  }

  /** Of what was on its way, some arrives; some clients hear nothing at all, and find out by themselves. */
  cut(): void {
    for (const stream of this.#alive()) {
      stream.lost = this.#wire.draw()
      this.#end(stream, undefined, this.#wire.draw() ? 0 : this.#random.within(delays.etcdSilence))
    }
  }

  /** Nothing gets through to a host: it finds out by itself. What it is sent meanwhile is nowhere. */
  cutOff(): void {
    for (const stream of this.#alive()) {
      if (!this.#wire.isCutOff(stream.thread)) continue
      stream.lost = true
      this.#end(stream, undefined, this.#random.within(delays.etcdSilence))
    }
  }

  /** After a compaction: the server may not have kept up with a stream that is behind. */
  compacted(): void {
    for (const stream of this.#alive()) {
      if (stream.onWay === 0 || this.#wire.draw()) continue
      stream.lost = true
      this.#end(stream, new Compacted(`History reaches back to revision ${this.#contents.revision} only`), 0)
    }
  }

  #end(stream: Stream, reason: Error | undefined, extraUs: number): void {
    this.#open.delete(stream)
    const kind = reason ? 'etcd-compacted' : 'etcd-cut'
    this.#wire.deliver(stream.thread, stream.lane, kind, '', () => stream.onEnd(reason), extraUs)
  }

  *#alive(): Iterable<Stream> {
    for (const stream of this.#open) {
      if (stream.thread.alive) yield stream
      else this.#open.delete(stream)
    }
  }
}

const eventsFor = ({ after, prefix, keyspace }: Stream, { revision, writes }: Change): readonly Event[] =>
  revision <= after ? [] : writes.filter(({ key }) => key.startsWith(prefix)).map((write) =>
    keyspace.event(write, revision))
