import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitCodeOf } from '../../boot/commands/failure.ts'
import { planRestore, type RestoreOptions } from '../../boot/backup/restore.ts'
import { file } from '../../boot/init.ts'
import { up } from '../../boot/up.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'

export const platform = await openPlatform()
export const passphrase = 'correct horse battery staple'

const made: string[] = []

/** A folder that `removeFolders` takes away. */
export function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-backup-'))
  made.push(path)
  return path
}

export function removeFolders(): void {
  for (const path of made) rmSync(path, { recursive: true, force: true })
}

export async function bootedFolder(): Promise<string> {
  const folder = newFolder()
  await (await up({ platform, folder })).stop()
  return folder
}

export const keyIn = async (folder: string, name: string): Promise<SigningKey> =>
  platform.keys.importPem(await readFile(join(folder, name), 'utf8'))

/** What of the backed-up zone its owner has elsewhere. */
export async function keysOf(zone: string): Promise<Pick<RestoreOptions, 'owner' | 'unsealKey' | 'deviceKeys'>> {
  return {
    owner: await keyIn(zone, file.ownerKey), deviceKeys: [await keyIn(zone, file.deviceKey)],
    unsealKey: (await readFile(join(zone, file.unsealKey), 'utf8')).trim(),
  }
}

/** With a passphrase the backup has the keys of the host; else they are those of the zone's folder. */
export async function restoreTo(folder: string, from: string, zone: string, more: Partial<RestoreOptions> = {}) {
  const keys = more.passphrase === undefined ? await keysOf(zone)
    : { owner: await keyIn(zone, file.ownerKey), deviceKeys: [] }
  const plan = await planRestore({ platform, file: from, folder, ...keys, ...more })
  await plan.run()
  return plan
}

/** `BackupDamaged 26: what it says`, or what it came to instead. */
export async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'it was done'
  } catch (error) {
    if (!(error instanceof ZonewrightError)) return `not an error of ours: ${String((error as Error)?.stack)}`
    return `${error.code} ${exitCodeOf(error)}: ${error.message}`
  }
}

/** uvu shows `details` of an error as a difference of values, and not the error. */
export async function plainly<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ZonewrightError) throw new Error(`${error.code}: ${error.message}\n${error.stack}`)
    throw error
  }
}
