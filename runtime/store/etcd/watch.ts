import type { IWatchResponse } from 'etcd3'
import { Compacted, Denied } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Cancel } from '../../platform/ports.ts'
import type { EventQueue } from '../event-queue.ts'
import type { Connection } from './connection.ts'
import type { KeyRange, Keyspace } from './keyspace.ts'

const againMsMin = 50
const againMsMax = 2_000

/**
 * Feeds a queue from one gRPC stream of its own, and goes on behind the last revision whenever the stream breaks. The
 * package's watcher is not used: it shares one stream, and throws where nobody can catch when an answer comes late.
 */
export function feed(
  connection: Connection, keyspace: Keyspace, range: KeyRange, after: number, queue: EventQueue,
): Cancel {
  let next = after + 1
  /** Revision of the cluster when the watch was first created: what is not newer is a replay. */
  let begun: number | undefined
  let againMs = againMsMin
  let ended = false
  let drop: Cancel = () => {}

  function open(): void {
    let live = true
    let cancelStream: Cancel = () => {}
    const again = (): void => {
      if (!live) return
      close()
      againMs = Math.min(againMs * 2, againMsMax)
      drop = connection.clock.after(againMs, open)
    }
    const close = (): void => {
      live = false
      cancelTimer()
      cancelStream()
    }
    // The creation of a watch has no time limit of its own
    const cancelTimer = connection.clock.after(limits.storeCallMs, again)
    drop = close
    connection.client.watchClient.watch().then((stream) => {
      cancelStream = () => stream.cancel()
      if (!live) return stream.cancel()
      stream.on('data', (response: IWatchResponse) => {
        if (!live) return
        if (response.created) cancelTimer()
        receive(response, again)
      })
      // These listeners stay: an error without one would end the process
      stream.on('error', again)
      stream.on('end', again)
      // From the last revision that it has: asked for the one behind, etcd 3.4 leaves a delete out when that is the one
      // up to which it has compacted, and says nothing. Zero would be the present
      stream.write({ create_request: { ...range, start_revision: String(Math.max(1, next - 1)) } })
    }).catch(again)
  }

  function receive(response: IWatchResponse, again: () => void): void {
    const revision = Number(response.header.revision)
    if (response.canceled) {
      const { compact_revision: floor, cancel_reason: reason } = response
      if (Number(floor) > 0) end(new Compacted(`History reaches back to revision ${floor} only: ${next - 1}`))
      else if (/permission denied/.test(reason)) end(new Denied(`etcd refused: ${reason}`))
      else again()
      return
    }
    againMs = againMsMin
    if (response.created) begun ??= revision
    const events = response.events.map(({ type, kv }) => keyspace.event(type, kv))
      .filter((event) => event.revision >= next)
    const last = events.at(-1)
    if (!last) return
    next = last.revision + 1
    const past = events.filter((event) => event.revision <= (begun ?? 0))
    queue.replay(past)
    queue.push(events.slice(past.length))
  }

  function end(reason: Error): void {
    cancel()
    queue.fail(reason)
  }

  function cancel(): void {
    if (ended) return
    ended = true
    drop()
  }

  open()
  return cancel
}
