import { limits } from '../../runtime/limits.ts'
import { FolderDamaged, RestoreUnfinished } from '../errors.ts'
import { file } from '../init.ts'
import { listFolder, readSmallFile } from './disk.ts'
import { isKey, isPath, isSegment } from './manifest.ts'

/** What of a zone's folder goes into a backup. */
export interface Contents {
  /** Whole, since they are small. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[]
  /** Folders of stores. */
  readonly stores: readonly string[]
  /** What is there and does not go into it. */
  readonly leftOut: readonly string[]
}

/** @throws FolderDamaged, RestoreUnfinished when it is no zone's folder, or not yet */
export async function contentsOf(folder: string, { keys }: { readonly keys: boolean }): Promise<Contents> {
  const names = new Set((await listFolder(folder))?.map(({ name }) => name))
  if (names.has(file.restoring)) {
    throw new RestoreUnfinished(`A restore into this folder was not finished: ${folder}`, {
      path: folder, next: 'Run the same `restore` again: it begins anew and completes',
    })
  }
  if (!names.has(file.identity) || !names.has(file.booted)) {
    const what = names.has(file.identity) ? 'The zone of this folder has not booted yet' : 'There is no zone here'
    throw new FolderDamaged(`${what}: ${folder}`, { path: folder, next: 'Give the folder of a zone with --dir' })
  }
  const found = { files: [] as Contents['files'][number][], stores: [] as string[], leftOut: [] as string[] }
  await addHost(folder, '', keys, found)
  for (const { name, kind } of await listFolder(`${folder}/${file.nodes}`) ?? []) {
    const host = `${file.nodes}/${name}/`
    if (kind === 'folder') await addHost(folder, host, keys, found)
    else found.leftOut.push(`${file.nodes}/${name}`)
  }
  return found
}

type Found = { [Name in keyof Contents]: Contents[Name][number][] }

async function addHost(folder: string, host: string, keys: boolean, found: Found): Promise<void> {
  for (const { name, kind } of await listFolder(`${folder}/${host}`) ?? []) {
    const path = host + name
    if (name === file.stores && kind === 'folder') {
      for (const store of await listFolder(`${folder}/${path}`) ?? []) {
        const log = `${path}/${store.name}/log.1`
        if (store.kind === 'folder' && isPath(log)) found.stores.push(`${path}/${store.name}`)
        else found.leftOut.push(`${path}/${store.name}`)
      }
    } else if (host === '' && copied.has(name) && kind === 'folder') {
      for (const inside of await listFolder(`${folder}/${path}`) ?? []) {
        await addFile(folder, `${path}/${inside.name}`, inside.kind, keys, found)
      }
    } else if (!isFleeting(name) && !(host === '' && name === file.nodes)) {
      await addFile(folder, path, kind, keys, found)
    }
  }
}

/** Folders of the first host that are copied file by file. */
const copied: ReadonlySet<string> = new Set([file.audit, file.pems])

async function addFile(folder: string, path: string, kind: string, keys: boolean, found: Found): Promise<void> {
  // Segments of the audit grow meanwhile: they are copied after the stores
  if (kind === 'file' && isSegment(path)) return
  if (kind === 'file' && isPath(path) && (keys || !isKey(path))) await addSmall(folder, path, found)
  else if (!path.endsWith('.tmp')) found.leftOut.push(path)
}

async function addSmall(folder: string, path: string, found: Found): Promise<void> {
  const bytes = await readSmallFile(`${folder}/${path}`, limits.backupFileBytes)
  // Gone since it was listed
  if (!bytes) return
  if (bytes.length > limits.backupFileBytes) {
    throw new FolderDamaged(`A file has more than ${limits.backupFileBytes} bytes: ${folder}/${path}`, {
      path: `${folder}/${path}`, next: 'Move it elsewhere: it is none of the zone',
    })
  }
  found.files.push({ path, bytes })
}

/** Locks, and what is about to get another name. */
const isFleeting = (name: string): boolean => name.startsWith(`${file.lock}.`) || name.endsWith('.tmp')
