import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import type { StoreLocation } from '../../runtime/store/location.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import type { Moved, MoveProgress } from '../../runtime/store/move/move.ts'
import { moveTo, openStore } from '../../runtime/store/open.ts'
import type { Store } from '../../runtime/store/store.ts'

export const ports = { clock, random }
export type EtcdLocation = StoreLocation & { readonly type: 'etcd' }

export const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'zonewright-move-'))
export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })
export const openFolder = async (folder: string): Promise<MovableStore> =>
  new MovableStore(await openEmbeddedStore(folder, ports))

export interface MoveTest {
  readonly onProgress?: (progress: MoveProgress) => void
  readonly signal?: AbortSignal
  readonly host?: string
}

/** The store `name` of a location. */
export const move = (
  store: MovableStore, location: EtcdLocation, name: string,
  { onProgress = () => {}, signal = new AbortController().signal, host = 'ood1' }: MoveTest = {},
): Promise<Moved> => moveTo(store, location, name, {
  owner: { host, source: `/stores/${name}` }, ...ports, signal, onProgress,
})

export const open = (location: StoreLocation, name: string): Promise<Store> => openStore(location, name, ports)

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value)
