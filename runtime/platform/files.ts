import { constants } from 'node:fs'
import { chmod, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import process from 'node:process'
import { AlreadyExists, FolderInUse, InvalidArgument, NotWritable } from '../errors.ts'
import type { Files } from './ports.ts'

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? ''

/** Makes the folder (0700) where it is missing. @throws NotWritable */
export async function openFolder(path: string): Promise<Files> {
  const root = resolve(path)
  try {
    await makeFolders(root)
    const probe = join(root, `.probe-${process.pid}`)
    await (await open(probe, 'w', 0o600)).close()
    await rm(probe)
  } catch (error) {
    throw new NotWritable(`The folder cannot be written: ${root} (${codeOf(error)})`, {
      path: root, reason: codeOf(error), next: 'Give another folder, or its owner the right to write',
    })
  }
  return filesIn(root)
}

/** Not by `recursive`: where a file system cannot make folders (/proc) Node repeats it for ever. */
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || await exists(parent)) throw error
    await makeFolders(parent)
    await mkdir(path, { mode: 0o700 })
  }
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false)

function filesIn(root: string): Files {
  const at = (name: string): string => {
    if (isAbsolute(name) || name.split(/[\\/]/).includes('..')) throw new InvalidArgument(`A file name must stay in its folder: ${name}`)
    return join(root, name)
  }
  const absent = <T>(otherwise: T) => (error: unknown): T => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return otherwise
    throw error
  }
  return {
    path: at,
    read: (name) => readFile(at(name)).catch(absent(undefined)),
    write: (name, contents, { mode }) => writeDurably(at(name), contents, mode, rename),
    create: (name, contents, { mode }) => writeDurably(at(name), contents, mode, createByLink),
    remove: (name) => rm(at(name), { recursive: true, force: true }),
    async list(name) {
      const entries = await readdir(at(name), { withFileTypes: true }).catch(absent([]))
      return entries.map((entry) => ({ name: entry.name, directory: entry.isDirectory() })).sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    async makeFolder(name, { mode }) {
      await mkdir(at(name), { recursive: true, mode })
      await chmod(at(name), mode)
    },
    mode: (name) => stat(at(name)).then((info) => info.mode & 0o777, absent(undefined)),
    lock: (name) => lock(at(name)),
  }
}

let temporaries = 0

async function writeDurably(
  path: string, contents: Uint8Array, mode: number, place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.${++temporaries}.tmp`
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode)
  try {
    await file.writeFile(contents)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await place(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(join(path, '..'))
}

/** A hard link refuses a name that is taken; rename would replace it. */
async function createByLink(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new AlreadyExists(`The file is there already: ${to}`, { path: to })
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

interface Holder { readonly pid: number; readonly started: string }

/**
 * A file that names the process holding it. Node has no flock; the process id with its start time tells a dead holder
 * from a live one and from another process that was given the same number.
 */
async function lock(path: string): Promise<() => Promise<void>> {
  const self: Holder = { pid: process.pid, started: (await startOf(process.pid)) ?? '' }
  const text = new TextEncoder().encode(JSON.stringify(self))
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeDurably(path, text, 0o600, createByLink)
      return () => rm(path, { force: true })
    } catch (error) {
      if (!(error instanceof AlreadyExists)) throw error
    }
    const found = await readFile(path, 'utf8').catch(() => '')
    const holder = parseHolder(found)
    if (holder && (await startOf(holder.pid)) === holder.started) {
      throw new FolderInUse(`Another process uses this folder: process ${holder.pid} (${path})`, { pid: holder.pid, path })
    }
    // Take the dead holder's file away only if it is still the one that was read
    const aside = `${path}.${process.pid}.dead`
    await rename(path, aside).catch(() => {})
    const moved = await readFile(aside, 'utf8').catch(() => '')
    if (moved !== found) await link(aside, path).catch(() => {})
    await rm(aside, { force: true })
  }
  throw new FolderInUse(`Several processes compete for this folder: ${path}`, { path })
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Holder
    return Number.isInteger(pid) && typeof started === 'string' ? { pid, started } : undefined
  } catch {
    return undefined
  }
}

/** When a living process started: field 22 of /proc/PID/stat where there is one, else only that it lives. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text !== undefined) return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  try {
    process.kill(pid, 0)
    return 'alive'
  } catch (error) {
    return codeOf(error) === 'EPERM' ? 'alive' : undefined
  }
}
