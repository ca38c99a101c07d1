import { safeParse } from 'valibot'
import { ZoneStoreMismatch } from '../actors/system-config/protocol.ts'
import type { Files } from '../runtime/platform/ports.ts'
import { integer, number, object, pipe, string, type Infer } from '../runtime/protocol.ts'
import { FolderDamaged, FolderOfAnotherZone } from './errors.ts'
import { file } from './init.ts'
import { parseJson } from './parse-json.ts'

/** This host has booted this zone: its store may never be found empty again. */
const BootedMarker = object({ zone: string(), store: string(), revision: pipe(number(), integer()) })
export type BootedMarker = Infer<typeof BootedMarker>

/** @throws FolderDamaged, FolderOfAnotherZone */
export async function bootedMarker(
  files: Pick<Files, 'read' | 'path'>, zone: string,
): Promise<BootedMarker | undefined> {
  const bytes = await files.read(file.booted)
  if (!bytes) return undefined
  const parsed = safeParse(BootedMarker, parseJson(bytes))
  if (!parsed.success) {
    throw new FolderDamaged(`${files.path(file.booted)}: it is not a booted marker`, {
      path: files.path(file.booted),
      next: 'Restore it from a backup; do not remove it: it guards against an emptied store',
    })
  }
  if (parsed.output.zone !== zone) {
    throw new FolderOfAnotherZone(`${files.path(file.booted)} belongs to zone ${parsed.output.zone}, not ${zone}`, {
      path: files.path(file.booted),
      next: 'Restore the marker that belongs to this folder',
    })
  }
  return parsed.output
}

/** @throws ZoneStoreMismatch when the store is another one, or an older copy than the one that this host has booted */
export function assertSameStore(marker: BootedMarker, store: { id: string; revision: number }, path: string): void {
  const what = store.id !== marker.store ? 'is not the one that this host has booted'
    : store.revision < marker.revision ? `is older than this host's boot: revision ${store.revision}` : undefined
  if (what !== undefined) {
    const next = 'Put back the stores of this folder'
    throw new ZoneStoreMismatch(`The store of system-config ${what}: ${path}`, { path, next })
  }
}

export async function writeBootedMarker(files: Files, marker: BootedMarker): Promise<void> {
  await files.write(file.booted, new TextEncoder().encode(`${JSON.stringify(marker)}\n`), { mode: 0o600 })
}
