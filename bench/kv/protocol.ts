import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { call, integer, minValue, number, object, picklist, pipe, protocol, string } from '../../runtime/protocol.ts'

/** A kv `get` as the link sees it, shapes and width included, at an actor that does nothing but answer. */
export const Bare = protocol('bare', { get: SystemConfig.methods.get })

const count = pipe(number(), integer(), minValue(0))
const ms = number()
/** What the calls speak for. */
const token = string()
/** Microseconds per call, key or event. */
const Micros = object({ micros: number() })

export const KvDriver = protocol('kv-driver', {
  /** Writes as many keys into the folder; answers with the revision before the first. */
  write: call(object({ folder: string(), keys: count, token }), object({ revision: count })),
  /** Keeps `inFlight` calls under way for `ms`. */
  get: call(object({ of: picklist(['bare', 'kv']), inFlight: count, ms, token }), Micros),
  /** Lists the folder again and again for `ms`. */
  list: call(object({ folder: string(), keys: count, ms, token }), Micros),
  /** Watches the folder from `after`, each time until all its keys have come, again and again for `ms`. */
  watch: call(object({ folder: string(), keys: count, after: count, ms, token }), Micros),
})
