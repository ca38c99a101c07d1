import { StoreDamaged } from '../../errors.ts'

/** What stands in a target about the move into it. */
export type Marker =
  /** It is being filled; nobody may use it. */
  | { readonly state: 'copying'; readonly source: string; readonly attempt: number }
  /**
   * It is in use, and goes on where its source was at `revision`. The revision of the cluster at which this was written
   * is the last that knows nothing but what was copied.
   */
  | {
    readonly state: 'active'; readonly source: string; readonly attempt: number; readonly revision: number
    readonly entries: number; readonly digest: string
  }

/** Who moves a store: where its source is, so that whoever holds that knows that nobody else does. */
export interface Owner {
  readonly host: string
  readonly source: string
  /** Another one each time. */
  readonly run: string
  /** Epoch milliseconds. */
  readonly since: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encode = (value: Marker | Owner): Uint8Array => encoder.encode(JSON.stringify(value))

/** @throws StoreDamaged */
export function decodeMarker(bytes: Uint8Array): Marker {
  const value = parse(bytes) as Readonly<Record<string, unknown>> | undefined
  const isMarker = value && typeof value['source'] === 'string' && isCount(value['attempt'])
    && (value['state'] === 'copying' || value['state'] === 'active' && isCount(value['revision']))
  if (!isMarker) throw new StoreDamaged('What etcd has about the move of this store cannot be read')
  return value as unknown as Marker
}

/** Undefined for what is no owner that we know how to read. */
export function decodeOwner(bytes: Uint8Array): Owner | undefined {
  const value = parse(bytes) as Partial<Owner> | undefined
  return typeof value?.host === 'string' && typeof value.source === 'string' ? value as Owner : undefined
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes)) ?? undefined
  } catch {
    return undefined
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
