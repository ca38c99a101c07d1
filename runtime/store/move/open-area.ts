import { StoreBeingMoved } from '../../errors.ts'
import type { Random } from '../../platform/ports.ts'
import { randomId } from '../random-id.ts'
import type { Store } from '../store.ts'
import { names, type Area, type Found } from './area.ts'
import { decodeMarker } from './marker.ts'
import { MovedStore } from './moved-store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The store of an area, made if it is new. Of several that make it at once, all get the id of the first.
 * @param native a store with this id over the area's keys, with the cluster's revisions
 * @throws StoreBeingMoved while a move fills it
 */
export async function openArea(area: Area, random: Random, native: (id: string) => Store): Promise<Store> {
  const fresh = randomId(random, 16)
  const { succeeded, ranges } = await area.transact({
    compare: [{ key: names.id, mod: 0 }, { key: names.marker, mod: 0 }],
    success: [{ type: 'put', key: names.id, value: encoder.encode(fresh) }],
    failure: [{ from: names.id }, { from: names.marker }],
    repeatable: true,
  })
  if (succeeded) return native(fresh)
  const [id, marker] = ranges.map(only)
  if (!marker) return native(decoder.decode(id!.value))
  const decoded = decodeMarker(marker.value)
  if (!id || decoded.state !== 'active') throw incomplete(area)
  await markUsed(area, marker.mod)
  return MovedStore.open(native(decoder.decode(id.value)), area, decoded, marker.mod)
}

/** From now on nobody moves its source here again. Once is enough. @throws StoreBeingMoved when that goes on already */
export async function markUsed(area: Area, activation: number): Promise<void> {
  const marker = { key: names.marker, mod: activation }
  const { succeeded } = await area.transact({
    compare: [marker, { key: names.used, mod: 0 }],
    success: [{ type: 'put', key: names.used, value: encoder.encode('1') }],
    repeatable: true,
  })
  if (succeeded) return
  const { ranges: [used, found] } = await area.read([{ from: names.used }, { from: names.marker }])
  if (only(used!) && only(found!)?.mod === activation) return
  throw incomplete(area)
}

const incomplete = ({ place }: Area): Error =>
  new StoreBeingMoved(`A store is being moved to ${place}: it is not complete yet`, { place })

export const only = ({ kvs: [first] }: Found): Found['kvs'][number] | undefined => first
