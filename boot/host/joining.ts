import { AlreadyExists } from '../../runtime/errors.ts'
import type { Files, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { DeviceKeyMismatch, FolderDamaged, FolderOfAnotherZone, NotJoined } from '../errors.ts'
import { file, keyFile } from '../init.ts'
import type { Joined } from '../join/join-client.ts'
import type { GivenToken } from '../join/token-file.ts'
import { openHost, refuseZoneFolder, writeHostFile } from './folder.ts'

/** The folder of a host while it joins: nobody else may run it meanwhile. */
export interface Joining {
  readonly path: string
  /** On disk before anybody is asked: whoever is cut off comes again as the same device. */
  readonly device: SigningKey
  keep(joined: Joined, server: { readonly hostname: string; readonly port: number }, given: GivenToken): Promise<void>
  close(): Promise<void>
}

/**
 * Opens it, and makes the device key where there is none.
 * @throws FolderOfAnotherZone, FolderInUse, DeviceKeyMismatch, NotWritable
 */
export async function openJoining(
  platform: Platform, folder: string, { host, key }: { readonly host: string; readonly key?: string },
): Promise<Joining> {
  const files = await platform.host.openFolder(folder)
  await refuseZoneFolder(files)
  const unlock = await files.lock(file.lock)
  try {
    await refuseOtherHost(platform, files, host)
    const device = await deviceOf(platform, files, key)
    return {
      path: files.path('.'), device, close: unlock,
      async keep({ zone, host: name, role, roots, standing }, { hostname, port }, { anchors = [], rootsVersion = 0 }) {
        if (role === 'ood') throw new FolderDamaged('An OOD has a folder of another kind')
        await writeHostFile(files, {
          format: 1, zone, host: name, role, roots: [...roots], anchors, rootsVersion,
          servers: [`${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`],
          zoneDocument: standing.zoneDocument, deviceDocument: standing.document, oodDocuments: [...standing.oods],
        })
      },
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

async function refuseOtherHost(platform: Platform, files: Files, host: string): Promise<void> {
  const before = await openHost(platform, files).catch((error: unknown) => {
    // A join that was cut off has left the key alone; what is damaged is written anew
    if (error instanceof NotJoined || error instanceof FolderDamaged) return undefined
    throw error
  })
  if (!before || before.file.host === host) return
  throw new FolderOfAnotherZone(`From this folder ${before.file.host} has joined ${before.file.zone}`, {
    path: files.path('.'), next: `Give ${host} a folder of its own: --dir FOLDER`,
  })
}

async function deviceOf({ keys, random }: Platform, files: Files, given: string | undefined): Promise<SigningKey> {
  if (given !== undefined) {
    const wanted = keys.importPem(given)
    await files.create(file.deviceKey, new TextEncoder().encode(given), { mode: 0o600 }).catch((error: unknown) => {
      if (!(error instanceof AlreadyExists)) throw error
    })
    const found = keys.importPem(new TextDecoder().decode(await files.read(file.deviceKey)))
    if (found.public.kid === wanted.public.kid) return found
    throw new DeviceKeyMismatch(`The folder has another device key already: ${files.path(file.deviceKey)}`, {
      path: files.path(file.deviceKey), next: 'Leave --device-key away, or give another --dir',
    })
  }
  const make = (): string => keys.generate(random.fork('device key')).exportPem()
  return keys.importPem(await keyFile(files, file.deviceKey, make))
}
