import { StoreMoved } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Random } from '../platform/ports.ts'
import { openEmbeddedStore } from './embedded.ts'
import { loadEtcd } from './etcd/load.ts'
import { followMove, prefixOf, type StoreLocation } from './location.ts'
import type { MovableStore } from './movable.ts'
import { inspect, verdict } from './move/lock.ts'
import { moveStore, type Moved, type MoveOptions } from './move/move.ts'
import type { Store } from './store.ts'

type Ports = { readonly clock: Clock; readonly random: Random }
type EtcdLocation = StoreLocation & { readonly type: 'etcd' }

/**
 * The store of one actor. What speaks to etcd is loaded by the first that lies there: it takes as long to load as some
 * zones to boot.
 * @throws what `openEmbeddedStore` and `openEtcdStore` do
 */
export async function openStore(location: StoreLocation, name: string, ports: Ports): Promise<Store> {
  if (location.type === 'etcd') return (await loadEtcd()).openEtcdStore({ ...etcdOptions(location, name), ...ports })
  return followMove(
    location, name, () => openEmbeddedStore(`${location.path}/${name}`, ports), (to) => openStore(to, name, ports),
  )
}

export type MoveTo = Omit<MoveOptions, 'source' | 'fence' | 'area' | 'native' | 'prefix'>

/** Moves a store that is in use. @throws StoreMoved when it lies in etcd already, and what `moveStore` does */
export async function moveTo(
  store: MovableStore, location: EtcdLocation, name: string, options: MoveTo,
): Promise<Moved> {
  const given = { ...etcdOptions(location, name), clock: options.clock }
  return moveInto(store, given.prefix, async () => (await loadEtcd()).connectEtcd(given), options)
}

/** The same, whatever etcd is reached by. */
export async function moveInto(
  store: MovableStore, prefix: string, connect: () => Promise<Pick<MoveOptions, 'area' | 'native'>>, options: MoveTo,
): Promise<Moved> {
  const source = store.moveSource?.()
  // A worker that has taken the place of one that ended after the move has opened it there
  if (!source) throw new StoreMoved('The store lies in etcd already', { prefix })
  const { area, native } = await connect()
  try {
    return await moveStore({ ...options, source, fence: store, area, native, prefix })
  } catch (error) {
    // Else the store has the connection now
    if (store.moveSource) await area.close()
    throw error
  }
}

/** What a move of this store there would do, and how many operations etcd takes at once. Changes nothing. */
export interface Probed {
  readonly what: 'moves' | 'resumes' | 'moved'
  /** Up to what an actor may use. */
  readonly operationsMax: number
}

/** @throws StoreOfAnother, StoreDiverged, StoreBeingMoved, Unavailable */
export async function probe(
  location: EtcdLocation, name: string, source: { readonly id: string; readonly revision: number }, clock: Clock,
): Promise<Probed> {
  const { connectEtcd } = await loadEtcd()
  const { area } = connectEtcd({ ...etcdOptions(location, name), clock })
  try {
    const target = await inspect({ area, source })
    const what = verdict(target, source, area.place)
    const operationsMax = await area.operationsMax(limits.transactionOperations)
    return { what: what === 'moved' ? what : target.isNew ? 'moves' : 'resumes', operationsMax }
  } finally {
    await area.close()
  }
}

function etcdOptions({ endpoints, prefix, credentials }: EtcdLocation, name: string) {
  return { endpoints, prefix: prefixOf(prefix, name), ...(credentials && { credentials }) }
}
