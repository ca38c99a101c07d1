import { constants } from 'node:fs'
import { chmod, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import process from 'node:process'
import { AlreadyExists, InvalidArgument, NotWritable } from '../errors.ts'
import { takeLock } from './lock.ts'
import { codeOf, diskFull, isDiskFull, writeFailure } from './disk-full.ts'
import type { Files } from './ports.ts'

/** Makes the folder (0700) where it is missing. @throws NotWritable, DiskFull */
export async function openFolder(path: string): Promise<Files> {
  const root = resolve(path)
  try {
    await makeFolders(root)
    const probe = temporary(join(root, '.probe'))
    await (await open(probe, 'w', 0o600)).close()
    await rm(probe, { force: true })
  } catch (error) {
    if (isDiskFull(error)) throw diskFull(root, error)
    throw new NotWritable(`The folder cannot be written: ${root} (${codeOf(error)})`, {
      path: root, reason: codeOf(error), next: 'Give another folder, or its owner the right to write',
    })
  }
  return filesIn(root)
}

/** Not by `recursive`: where a file system cannot make folders (/proc) Node repeats it for ever. */
async function makeFolders(path: string, mode = 0o700, again = false): Promise<void> {
  const parent = dirname(path)
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || again) throw error
    await makeFolders(parent)
    return makeFolders(path, mode, true)
  }
  // What is in a folder is as durable as the folder's own name
  await syncFolder(parent)
}

function filesIn(root: string): Files {
  const at = (name: string): string => {
    if (isAbsolute(name) || name.split(/[\\/]/).includes('..')) {
      throw new InvalidArgument(`A file name must stay in its folder: ${name}`)
    }
    return join(root, name)
  }
  const absent = <T>(otherwise: T) => (error: unknown): T => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return otherwise
    throw error
  }
  const failed = (path: string) => (error: unknown): never => {
    throw writeFailure(path, error)
  }
  return {
    path: at,
    read: (name) => readFile(at(name)).catch(absent(undefined)),
    write: (name, contents, { mode }) => writeDurably(at(name), contents, mode, rename).catch(failed(at(name))),
    create: (name, contents, { mode }) => writeDurably(at(name), contents, mode, createByLink).catch(failed(at(name))),
    append: (name, contents, { mode, durable }) =>
      append(at(name), contents, mode, durable === true).catch(failed(at(name))),
    rename: (name, to) => rename(at(name), at(to)),
    remove: (name) => rm(at(name), { recursive: true, force: true }),
    async list(name) {
      const entries = await readdir(at(name), { withFileTypes: true }).catch(absent([]))
      const found = entries.map((entry) => ({ name: entry.name, directory: entry.isDirectory() }))
      return found.sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    async makeFolder(name, { mode }) {
      await makeFolders(at(name), mode).catch(failed(at(name)))
      await chmod(at(name), mode)
    },
    mode: (name) => stat(at(name)).then((info) => info.mode & 0o777, absent(undefined)),
    async lock(name) {
      const release = await takeLock(at(name)).catch(failed(at(name)))
      await removeTemporaries(root)
      return release
    },
  }
}

let temporaries = 0
const temporary = (path: string): string => `${path}.${process.pid}.${++temporaries}.tmp`
const temporaryName = /\.(\d+)\.\d+\.tmp$/

async function writeDurably(
  path: string, contents: Uint8Array, mode: number, place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const written = temporary(path)
  try {
    const file = await open(written, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode)
    try {
      await file.writeFile(contents)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(written, path)
  } finally {
    // It may hold a key: nothing of it stays, whatever failed
    await rm(written, { force: true })
  }
  await syncFolder(dirname(path))
}

async function append(path: string, contents: Uint8Array, mode: number, durable: boolean): Promise<number> {
  const file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, mode)
  let size = 0
  try {
    size = (await file.stat()).size
    try {
      await file.writeFile(contents)
      if (durable) await file.datasync()
    } catch (error) {
      await file.truncate(size).catch(() => {})
      throw error
    }
  } finally {
    await file.close()
  }
  // Empty, it may have been made just now
  if (durable && size === 0) await syncFolder(dirname(path))
  return size + contents.length
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

/** Without it a power cut could bring the old name of a file back. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What a killed process left half written. Nobody else writes here now, and what this process writes has its id. */
async function removeTemporaries(root: string): Promise<void> {
  for (const name of await readdir(root, { recursive: true })) {
    const pid = temporaryName.exec(name)?.[1]
    if (pid !== undefined && Number(pid) !== process.pid) await rm(join(root, name), { force: true })
  }
}
