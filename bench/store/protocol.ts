import {
  call, integer, minValue, number, object, picklist, pipe, protocol, string, type Protocol,
} from '../../runtime/protocol.ts'

const count = pipe(number(), integer(), minValue(0))
const token = string()

export const StoreDriver = protocol('store-driver', {
  /** Writes all keys once. Answers with the revision of the last. */
  fill: call(object({ token }), object({ revision: count })),
  /** Keeps `inFlight` calls under way for `ms`. `from`: writes done before, so that every value is another. */
  measure: call(
    object({ of: picklist(['put', 'get']), inFlight: count, ms: number(), from: count, token }),
    object({ rate: number(), calls: count }),
  ),
  /** One after the other, the numbers `from` to `from + count`. */
  write: call(object({ folder: string(), from: count, count, token }), object({ revision: count })),
})

/** One of the clients that watch; each has its own link. */
const watcher = <Name extends string>(name: Name) => protocol(name, {
  open: call(object({ folder: string(), watches: count, after: count, token }), object({})),
  /** Settles when every watch has seen so many writes, each once and in order. */
  seen: call(object({ writes: count }), object({})),
})

export const watchers = [
  watcher('watcher-0'), watcher('watcher-1'), watcher('watcher-2'), watcher('watcher-3'), watcher('watcher-4'),
] as const
export type WatcherProtocol = ReturnType<typeof watcher> & Protocol
