import { InvalidArgument } from '../errors.ts'
import type { Stores } from '../platform/ports.ts'
import type { Change } from '../store/change.ts'
import { names } from '../store/move/area.ts'
import { decodeMarker, type Marker } from '../store/move/marker.ts'
import type { MovePhase } from '../store/move/move.ts'
import { moveInto, type MoveTo } from '../store/open.ts'
import type { Entry } from '../store/store.ts'
import { Contents } from './etcd/contents.ts'
import { Keyspace } from './etcd/keyspace.ts'
import { connect, openStore, type Cluster } from './etcd/store.ts'
import { Streams } from './etcd/streams.ts'
import { Wire } from './etcd/wire.ts'
import type { SeededRandom } from './random.ts'
import type { Schedule } from './schedule.ts'
import { clockOf } from './host-clock.ts'
import { SimulatedThread } from './thread.ts'

/**
 * An etcd outside all hosts, with what its real adapter makes of it. A request and its answer are events of their own:
 * what the server got happens, whether or not the thread that asked is there for the answer.
 */
export class SimulatedEtcd {
  /**
   * Told of each change when it is durable, with the prefix and the own keys of its store. A lease belongs to the
   * store that it was granted to; keys of other stores that end with it are changes of those. Values are the server's:
   * never to be changed.
   */
  onCommit: (prefix: string, changes: readonly Change[]) => void = () => {}
  /** Told in the thread that moves a store, as it comes to a phase and before it does anything in that. */
  onMove: (name: string, phase: MovePhase, thread: string) => void = () => {}
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #cluster: Cluster
  #clients = 0

  constructor(schedule: Schedule, random: SeededRandom) {
    this.#schedule = schedule
    this.#random = random
    const server = new SimulatedThread('etcd', random.fork('server'), (error) => schedule.fail(error))
    const contents = new Contents(clockOf(schedule, server), random.fork('contents'))
    const wire = new Wire(schedule, server, random.fork('wire'), () => contents.revision)
    const streams = new Streams(wire, contents, random.fork('streams'))
    contents.onChange = (change) => streams.publish(change)
    contents.onCommit = (prefix, changes) => {
      try {
        this.onCommit(prefix, changes)
      } catch (error) {
        // Not the fault of the call that wrote
        schedule.fail(error)
      }
    }
    this.#cluster = { wire, contents, streams }
  }

  /** Stores of one thread, under a key prefix. */
  in(prefix: string, thread: SimulatedThread): Stores {
    // A thread's name may come again
    const random = this.#random.fork(`client ${++this.#clients}`)
    const at = (name: string): string => `${prefix.replace(/\/+$/, '')}/${name}`
    return {
      open: (name) => openStore(this.#cluster, at(name), thread, random),
      take: (name, store, options) => {
        let phase: MovePhase | undefined
        const told: MoveTo = {
          ...options,
          onProgress: (progress) => {
            if (progress.phase !== phase) this.onMove(name, phase = progress.phase, thread.name)
            // Who is told may have ended it
            if (thread.alive) options.onProgress(progress)
          },
        }
        return moveInto(store, at(name), async () => connect(this.#cluster, at(name), thread, random), told)
      },
    }
  }

  /** Somebody writes a key of this store who is none of its clients. */
  meddle(prefix: string, key: string, value: Uint8Array): void {
    this.#note(`meddle ${prefix} ${key}`)
    this.#cluster.contents.transact([], [{ type: 'put', key: new Keyspace(prefix).key(key), value }])
  }

  /** What lies there now, by the store's own keys, and where its move stands. Not a call: nobody waits for it. */
  look(prefix: string): { readonly marker: Marker | undefined; readonly entries: readonly Entry[] } {
    const { contents } = this.#cluster
    const keyspace = new Keyspace(prefix)
    const marker = contents.get(`${keyspace.prefix}/${names.marker}`)
    const entries = contents.range(keyspace.key(''), keyspace.end).map((entry) => keyspace.entry(entry))
    return { marker: marker && decodeMarker(marker.value), entries }
  }

  /**
   * Nobody reaches it for a while. What is sent meanwhile is sent again until it is back or `limits.storeCallMs` is
   * over. What was under way may be lost, done unheard, or done when it is back, even after its call has failed with
   * Unavailable. Inside, time goes on: leases end.
   */
  outage(forMs: number): void {
    this.#note(`outage ${forMs}`)
    this.#cluster.wire.goAway(forMs)
    this.#cluster.streams.cut()
  }

  /**
   * From now on nothing gets through between a host and it: calls there fail when `limits.storeCallMs` is over, and
   * whether what was under way was done is not known. For all others it is as it was.
   */
  cutOff(host: string): void {
    this.#note(`cut off ${host}`)
    this.#cluster.wire.setCutOff(host, true)
    this.#cluster.streams.cutOff()
  }

  /** That host reaches it again. */
  reach(host: string): void {
    this.#note(`reached by ${host}`)
    this.#cluster.wire.setCutOff(host, false)
  }

  /**
   * For a time from the seed it has no leader: what is sent waits, what was under way has the fates of an outage, and
   * no lease ends. Then all leases begin anew. Watches go on.
   */
  changeLeader(): void {
    this.#note('leader')
    const { wire, contents } = this.#cluster
    contents.holdLeases()
    wire.elect(() => contents.restartLeases())
  }

  /**
   * Forgets what came before the present revision. A watch from before gets Compacted, and so does one that an outage
   * keeps from it; one with events under way may.
   */
  compact(): void {
    this.#note('compact')
    this.#cluster.contents.compact()
    this.#cluster.streams.compacted()
  }

  /** Of every delay on the way to it and back, and of its commits; 1 is well. @throws InvalidArgument */
  setDelayFactor(factor: number): void {
    if (!(factor > 0 && factor < Infinity)) throw new InvalidArgument(`A factor of delays is above zero: ${factor}`)
    this.#note(`delays ${factor}`)
    this.#cluster.wire.factor = factor
  }

  #note(what: string): void {
    this.#schedule.note(`${this.#schedule.nowUs} etcd ${what}`)
  }
}
