import { createHash } from 'node:crypto'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Operation } from '../../runtime/store/store.ts'
import { withStore } from './zone-disk.ts'

/** Ways to spoil a zone's folder. */
export type Spoil = (folder: string) => Promise<unknown>

export const put = (name: string, contents: string | Uint8Array): Spoil => (folder) =>
  writeFile(join(folder, name), contents)

export const remove = (...names: readonly string[]): Spoil => (folder) =>
  Promise.all(names.map((name) => rm(join(folder, name), { recursive: true })))

/** The same file of another zone's folder. */
export const takeFrom = (other: () => string, ...names: readonly string[]): Spoil => (folder) =>
  Promise.all(names.map(async (name) => {
    await rm(join(folder, name), { recursive: true, force: true })
    await cp(join(other(), name), join(folder, name), { recursive: true })
  }))

export const edit = (name: string, change: (bytes: Uint8Array) => Uint8Array): Spoil => async (folder) => {
  const path = join(folder, name)
  const bytes = new Uint8Array(await readFile(path))
  await writeFile(path, change(bytes))
}

export const cut = (share: number) => (bytes: Uint8Array): Uint8Array =>
  bytes.slice(0, Math.floor(bytes.length * share))

export const flip = (share: number) => (bytes: Uint8Array): Uint8Array => {
  const at = Math.floor(bytes.length * share)
  bytes[at] = (bytes[at] ?? 0) ^ 0x01
  return bytes
}

/** The newest log of a store. */
export const editLog = (store: string, change: (bytes: Uint8Array) => Uint8Array): Spoil => async (folder) => {
  const names = await readdir(join(folder, 'stores', store))
  const log = names.filter((name) => /^log\.\d+$/.test(name)).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
    .at(-1)
  if (log === undefined) throw new Error(`There is no log of ${store}`)
  await edit(join('stores', store, log), change)(folder)
}

/** A record of a store, changed as only something that goes around the actor can. */
export const editRecord =
  (store: string, key: string, change: (bytes: Uint8Array) => Uint8Array | undefined): Spoil => (folder) =>
    withStore(folder, store, async (open) => {
      const entry = await open.get(key)
      if (!entry) throw new Error(`There is no ${key} in ${store}`)
      const value = change(entry.value.slice())
      const operation: Operation = value === undefined ? { type: 'delete', key } : { type: 'put', key, value }
      await open.transact([], [operation])
    })

/** A record of `kv://`: a byte of format, then text. */
export const kvText = (text: string) => (): Uint8Array => new Uint8Array([1, ...new TextEncoder().encode(text)])

/** Each opening writes to them: stores, logs, and the records of the vault's audit, where that it was tried stands. */
const written = /^(stores\/|logs\/|audit\/\d+\.jsonl$)/

/** What a folder holds, by name, without what each opening writes to. */
export async function contentsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const contents: Record<string, string> = {}
  for (
    const path of entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort()
  ) {
    const name = path.slice(folder.length + 1)
    if (written.test(name)) continue
    contents[name] = createHash('sha256').update(await readFile(path)).digest('hex').slice(0, 16)
  }
  return contents
}
