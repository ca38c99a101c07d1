import type { Files, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { readNewestLog } from '../../runtime/store/embedded/log-file.ts'
import { FolderDamaged } from '../errors.ts'
import { file, refuseUnfinished } from '../init.ts'
import { raiseEpoch, signZoneDocument, withZoneDocument } from './raise-epoch.ts'
import { assertOwner } from './restore.ts'
import { assertOneZone, configStore, deviceKeyIn, readBooted, readDocuments } from './zone.ts'

export interface RenewOptions {
  readonly platform: Platform
  readonly folder: string
  readonly owner: SigningKey
}

export interface RenewPlan {
  readonly zone: string
  readonly host: string
  readonly before: { readonly config: number; readonly document: number }
  readonly epoch: number
  /** Killed between its two writes, the same again completes it. */
  run(): Promise<void>
  /** In the end, run or not. */
  release(): Promise<void>
}

/**
 * A new epoch for a zone that does not run, in `boot/config` and in the zone document: ends every session, and brings
 * the two together where they differ.
 * @throws FolderInUse, FolderDamaged, OwnerKeyNeeded, ZoneStoreMismatch
 */
export async function planRenewal({ platform, folder, owner }: RenewOptions): Promise<RenewPlan> {
  const files = await platform.host.openFolder(folder)
  const release = await files.lock(file.lock)
  try {
    const path = files.path('.')
    const next = 'Give the folder of a zone that has booted with --dir'
    if (!await files.read(file.identity)) throw new FolderDamaged(`There is no zone here: ${path}`, { path, next })
    await refuseUnfinished(files)
    const documents = readDocuments(platform, await files.read(file.identity))
    assertOwner(platform, owner, documents)
    const state = await readNewestLog(files.path(configStore)).catch(() => undefined)
    if (!state) throw new FolderDamaged(`The zone of this folder has not booted yet: ${path}`, { path, next })
    const booted = await readBooted(platform, state)
    await assertOneZone(platform, documents, booted, await files.read(file.booted))
    const device = deviceKeyIn(platform, documents.device, await files.read(file.deviceKey))
    const unsealKey = new TextDecoder().decode(await files.read(file.unsealKey)).trim()
    const before = { config: booted.config.epoch, document: documents.zone.epoch }
    const epoch = Math.max(before.config, before.document) + 1
    return {
      zone: documents.zone.zone, host: documents.zone.host, before, epoch, release,
      async run() {
        const stores = files.path(file.stores)
        await raiseEpoch({ platform, stores, documents, booted, owner, device, unsealKey, epoch })
        const zoneDocument = signZoneDocument(owner, documents.zone, epoch, platform.clock.now())
        await writeDocuments(platform, files, owner, zoneDocument)
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

async function writeDocuments(
  platform: Platform, files: Files, owner: SigningKey, zoneDocument: string,
): Promise<void> {
  const nodes = await files.list(file.nodes)
  for (const path of [...nodes.map(({ name }) => `${file.nodes}/${name}/${file.identity}`), file.identity]) {
    const bytes = await files.read(path)
    if (!bytes) continue
    const text = withZoneDocument(platform, owner, bytes, zoneDocument)
    await files.write(path, new TextEncoder().encode(text), { mode: 0o600 })
  }
}
