import type { Infer, Schema } from '../../runtime/protocol.ts'
import { kv, NodeConfig, readRecord, RecordInvalid } from '../records.ts'

/** `kv://` as the scheduler reads it: key → text. */
export type Config = ReadonlyMap<string, string>

/** Told of a record that is not what its key promises. */
export type OnInvalid = (error: Error) => void

/** Keys of so many segments, in order. */
export function keysIn(
  config: Config, count: number,
): readonly (readonly [string, readonly [string, string, string]])[] {
  return [...config.keys()].sort().map((key) => [key, key.split('/')] as const)
    .filter(([, segments]) => segments.length === count)
    .map(([key, segments]) => [key, segments as unknown as [string, string, string]] as const)
}

export const readNode = (onInvalid: OnInvalid, key: string, text: string): NodeConfig | undefined =>
  readOr(onInvalid, NodeConfig, key, text, ({ host }) => kv.node(host) === key)

/** The record, unless it is not what its key says. */
export function readOr<S extends Schema>(
  onInvalid: OnInvalid, schema: S, key: string, text: string, fits: (read: Infer<S>) => boolean,
): Infer<S> | undefined {
  try {
    const read = readRecord(schema, key, text)
    if (fits(read)) return read
    throw new RecordInvalid(`The value of a key speaks of another name: ${key}`, { key })
  } catch (error) {
    if (!(error instanceof RecordInvalid)) throw error
    onInvalid(error)
    return undefined
  }
}
