import { limits } from '../../limits.ts'
import type { Cancel } from '../../platform/ports.ts'
import type { EventQueue } from '../../store/event-queue.ts'
import type { Event } from '../../store/store.ts'
import { createLane } from '../schedule.ts'
import type { SeededRandom } from '../random.ts'
import type { Connection } from './connection.ts'
import type { Keyspace } from './keyspace.ts'
import type { Stream, Streams } from './streams.ts'

const againMsMin = 50
const againMsMax = 2_000

/** Feeds a queue from one stream, and goes on behind the last revision on a new one whenever it breaks. */
export function feed({ connection, streams, keyspace, random, prefix, after, queue }: {
  connection: Connection
  streams: Streams
  keyspace: Keyspace
  random: SeededRandom
  prefix: string
  after: number
  queue: EventQueue
}): Cancel {
  const { wire, clock, thread } = connection
  let last = after
  /** Revision of the cluster when the watch was first created: what is not newer is a replay. */
  let begun: number | undefined
  let againMs = againMsMin
  let drop: Cancel = () => {}

  function open(): void {
    // Events may come before the news that there is a stream, when that was lost: then it is none
    let created = false
    const stream: Stream = {
      thread, keyspace, lane: createLane(random), prefix: keyspace.key(prefix), after: last,
      live: true, onWay: 0, lost: false,
      onEvents: (events) => { if (stream.live && created) take(events) },
      onEnd: (reason) => { if (stream.live) reason ? end(reason) : again() },
    }
    const close = (): void => {
      cancelTimer()
      streams.leave(stream)
    }
    const again = (): void => {
      close()
      againMs = Math.min(againMs * 2, againMsMax)
      drop = clock.after(againMs, open)
    }
    const cancelTimer = clock.after(limits.storeCallMs, again)
    drop = close
    wire.ask({
      from: thread, lane: stream.lane, kind: 'watch', payload: `${stream.prefix} ${last}`, durable: false,
      act: () => streams.begin(stream),
      told: (outcome) => {
        if (!stream.live) return
        if (outcome.type === 'error') return end(outcome.error)
        if (outcome.type !== 'answer') return again()
        cancelTimer()
        created = true
        againMs = againMsMin
        begun ??= outcome.value.revision
        take(outcome.value.past)
      },
    })
  }

  function take(events: readonly Event[]): void {
    last = events.at(-1)?.revision ?? last
    const past = events.filter(({ revision }) => revision <= (begun ?? 0))
    queue.replay(past)
    queue.push(events.slice(past.length))
  }

  function end(reason: Error): void {
    drop()
    queue.fail(reason)
  }

  open()
  return () => drop()
}
