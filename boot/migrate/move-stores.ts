import { StartFailed, StoreMoved } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Migration } from '../../runtime/migration.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { folderOf, prefixOf, type StoreLocation } from '../../runtime/store/location.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import type { Supervisor } from '../../runtime/supervisor.ts'
import type { MoveEvent, Trace } from '../../runtime/trace.ts'
import { pause } from '../../runtime/within.ts'
import { file } from '../init.ts'
import { Journal } from './journal.ts'

export type EtcdLocation = StoreLocation & { readonly type: 'etcd' }

export interface MoveStoresOptions {
  readonly platform: Platform
  /** The zone's folder, which is this process's alone. */
  readonly files: Files
  readonly host: string
  readonly to: EtcdLocation
  /** As it is now: its actors' stores move by their workers, while they serve. Without one nobody has a store open. */
  readonly supervisor?: () => Supervisor
  /** On which the supervisor tells how far its actors are. */
  readonly trace?: Trace
  readonly signal?: AbortSignal
  /** Told of each step, and of how far each store is. */
  readonly onProgress?: (migration: Migration) => void
}

/**
 * Moves all stores of a host into etcd, one after the other. Killed anywhere, or failed, the next call goes on; when
 * all are there, it does nothing. The stores stay behind, retired, until `purgeStores`.
 * @throws StoreOfAnother, StoreDiverged, StoreBeingMoved, MoveMismatch, Unavailable, and what opening a store throws
 */
export async function moveStores(options: MoveStoresOptions): Promise<Migration> {
  const { platform, files, to, supervisor, onProgress = () => {} } = options
  const names = await storeNames(files)
  const journal = new Journal(files, platform.clock, to, names, onProgress)
  await journal.begin()
  const follow = (event: MoveEvent): void => {
    if (event.host === options.host) journal.progress(event.actor, event)
  }
  const { trace } = options
  trace?.on('move', follow)
  try {
    for (const name of names) await moveOne(options, journal, name)
    supervisor?.().storesMoved(to)
    await journal.end()
  } catch (error) {
    await journal.end(error)
    throw error
  } finally {
    trace?.off('move', follow)
  }
  return journal.migration
}

/** Folders of the host's stores, each by the name of its actor. */
export async function storeNames(files: Pick<Files, 'list'>): Promise<readonly string[]> {
  return (await files.list(file.stores)).filter(({ directory }) => directory).map(({ name }) => name).sort()
}

async function moveOne(options: MoveStoresOptions, journal: Journal, name: string): Promise<void> {
  const { to, platform: { clock }, supervisor, signal } = options
  for (let attempt = 1; ; attempt++) {
    try {
      const now = supervisor?.()
      const isKnown = now?.list().some((each) => each.name === name)
      const moved = await (now && isKnown ? now.moveStore(name, to) : moveClosed(options, journal, name))
      return await journal.moved(name, moved)
    } catch (error) {
      const went = error instanceof StoreMoved && error.details['prefix'] === prefixOf(to.prefix, name)
      if (went) return await journal.found(name, Number(error.details['entries'] ?? 0), digestIn(error))
      // Its worker has ended: the next one goes on where it was
      if (!(error instanceof StartFailed) || attempt >= limits.moveAttempts) throw error
      await pause(clock, limits.moveAttemptMs, signal)
    }
  }
}

const digestIn = ({ details }: { details: Readonly<Record<string, unknown>> }): string | null =>
  (typeof details['digest'] === 'string' ? details['digest'] : null)

/** Of what is no actor of the supervisor, or while there is none: nobody else has it open, or will. */
async function moveClosed(
  { platform, files, host, to, signal }: MoveStoresOptions, journal: Journal, name: string,
) {
  const { clock, random } = platform
  const path = files.path(file.stores)
  const store = new MovableStore(await platform.stores(folderOf(path)).open(name))
  try {
    return await platform.stores(to).take!(name, store, {
      owner: { host, source: `${path}/${name}` }, clock, random: random.fork(`move ${name}`),
      signal: signal ?? new AbortController().signal, onProgress: (progress) => journal.progress(name, progress),
    })
  } finally {
    await store.close()
  }
}
