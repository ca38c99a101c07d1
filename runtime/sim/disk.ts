import { posix } from 'node:path'
import { AlreadyExists, FolderInUse, InvalidArgument, NotWritable } from '../errors.ts'
import { writeFailure } from '../platform/disk-full.ts'
import type { FileInfo, Files } from '../platform/ports.ts'
import { delays } from './delays.ts'
import type { SeededRandom } from './random.ts'
import type { Schedule } from './schedule.ts'
import { diskFault, type HostFaults } from './stores.ts'
import { never, type SimulatedThread } from './thread.ts'

type Node =
  | { readonly type: 'file'; readonly contents: Uint8Array; readonly mode: number }
  | { readonly type: 'folder'; readonly mode: number }
/** Told of each file as it is written. */
export type OnFile = (path: string, contents: Uint8Array, mode: number) => void

interface Holder { readonly thread: SimulatedThread; readonly processId: number }

/** The files of one host. They outlive its processes; locks do not. */
export class Disk {
  readonly #nodes = new Map<string, Node>([['/', { type: 'folder', mode: 0o755 }]])
  readonly #locks = new Map<string, Holder>()
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #faults: HostFaults

  readonly #onFile: OnFile

  constructor(schedule: Schedule, random: SeededRandom, faults: HostFaults, onFile: OnFile) {
    this.#schedule = schedule
    this.#random = random
    this.#faults = faults
    this.#onFile = onFile
  }

  /** @throws NotWritable when it is a file, or its mode forbids the owner to write */
  openFolder(path: string, thread: SimulatedThread, processId: number): Promise<Files> {
    return this.#change(thread, path, () => {
      const root = posix.resolve('/', path)
      const found = this.#nodes.get(root)
      if (found && (found.type === 'file' || (found.mode & 0o200) === 0)) {
        throw new NotWritable(`The folder cannot be written: ${root}`, { path: root })
      }
      this.#makeFolder(root, 0o700)
      return this.#files(root, thread, processId)
    })
  }

  /** What makes it is no file: a store, which is a folder to whoever lists where it is. */
  hasFolder(path: string): void {
    this.#makeFolder(posix.resolve('/', path), 0o700)
  }

  #files(root: string, thread: SimulatedThread, processId: number): Files {
    const at = (name: string): string => {
      if (posix.isAbsolute(name) || name.split(/[\\/]/).includes('..')) {
        throw new InvalidArgument(`A file name must stay in its folder: ${name}`)
      }
      return posix.join(root, name)
    }
    const see = async <T>(name: string, task: (path: string) => T): Promise<T> => task(at(name))
    const act = async <T>(name: string, task: (path: string) => T): Promise<T> => {
      const path = at(name)
      return this.#change(thread, path, () => task(path))
    }
    return {
      path: at,
      read: (name) => see(name, (path) => {
        const node = this.#nodes.get(path)
        if (node?.type === 'folder') throw failure('EISDIR', path)
        return node?.contents.slice()
      }),
      write: (name, contents, { mode }) => act(name, (path) => this.#put(path, contents, mode)),
      create: (name, contents, { mode }) => act(name, (path) => {
        if (this.#nodes.has(path)) throw new AlreadyExists(`The file is there already: ${path}`, { path })
        this.#put(path, contents, mode)
      }),
      append: async (name, contents, { mode }) => {
        const path = at(name)
        const stay = thread.onEnd(() => this.#tear(path, contents, mode))
        return act(name, () => this.#append(path, contents, mode)).finally(stay)
      },
      rename: async (name, to) => {
        const target = at(to)
        await act(name, (path) => {
          const node = this.#nodes.get(path)
          if (node?.type !== 'file') throw failure('ENOENT', path)
          this.#put(target, node.contents, node.mode)
          this.#nodes.delete(path)
        })
      },
      remove: (name) => act(name, (path) => {
        const inside = (each: string): boolean => each === path || each.startsWith(`${path}/`)
        for (const each of [...this.#nodes.keys()].filter(inside)) this.#nodes.delete(each)
      }),
      list: (name) => see(name, (path) => this.#list(path)),
      makeFolder: (name, { mode }) => act(name, (path) => {
        this.#makeFolder(path, mode)
        this.#nodes.set(path, { type: 'folder', mode })
      }),
      mode: (name) => see(name, (path) => this.#nodes.get(path)?.mode),
      isAt: (name, other) => see(name, (path) => (this.#nodes.has(other) ? path === other : undefined)),
      lock: (name) => act(name, (path) => this.#lock(path, { thread, processId })),
    }
  }

  /** Takes its time, then happens at once: a process killed before that has changed nothing. */
  #change<T>(thread: SimulatedThread, path: string, task: () => T): Promise<T> {
    if (!thread.alive) return never()
    const delayUs = this.#random.within(delays.disk) * this.#faults.slowness
    return new Promise<T>((resolve, reject) => this.#schedule.inOrder({
      to: thread, lane: thread.lane, delayUs, kind: 'file', from: path,
      task: () => {
        try {
          resolve(task())
        } catch (error) {
          reject(error)
        }
      },
    }))
  }

  #makeFolder(path: string, mode: number): void {
    const node = this.#nodes.get(path)
    if (node?.type === 'file') throw failure('EEXIST', path)
    if (node) return
    this.#makeFolder(posix.dirname(path), mode)
    this.#nodes.set(path, { type: 'folder', mode })
  }

  /** `written` is what comes to it, where that is not the whole. */
  #put(path: string, contents: Uint8Array, mode: number, written?: Uint8Array): void {
    const folder = this.#nodes.get(posix.dirname(path))
    if (folder?.type !== 'folder') throw failure('ENOENT', path)
    if ((folder.mode & 0o200) === 0) throw failure('EACCES', path)
    if (this.#nodes.get(path)?.type === 'folder') throw failure('EISDIR', path)
    const fault = diskFault(this.#faults, path)
    if (fault) throw writeFailure(path, fault)
    this.#onFile(path, written ?? contents, mode)
    this.#nodes.set(path, { type: 'file', contents: written ? contents : new Uint8Array(contents), mode })
  }

  #append(path: string, contents: Uint8Array, mode: number): number {
    const node = this.#nodes.get(path)
    const old = node?.type === 'file' ? node : { contents: new Uint8Array(), mode }
    const grown = grownBy(old.contents, contents)
    this.#put(path, grown, old.mode, contents)
    return grown.length
  }

  /** The power goes during an append: the beginning of it may be there. */
  #tear(path: string, contents: Uint8Array, mode: number): void {
    const bytes = Math.floor(contents.length * (this.#faults.torn?.() ?? 0))
    if (bytes === 0 || this.#nodes.get(posix.dirname(path))?.type !== 'folder' || this.#faults.disk !== 'well') return
    this.#append(path, contents.slice(0, bytes), mode)
  }

  #list(path: string): readonly FileInfo[] {
    const prefix = path === '/' ? '/' : `${path}/`
    return [...this.#nodes]
      .filter(([each]) => each.startsWith(prefix) && each !== prefix && !each.slice(prefix.length).includes('/'))
      .map(([each, node]) => ({ name: each.slice(prefix.length), directory: node.type === 'folder' }))
      .sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** The file stays when its holder is killed, as on a real disk; the next one takes it over. */
  #lock(path: string, holder: Holder): () => Promise<void> {
    const present = this.#locks.get(path)
    if (present?.thread.alive) {
      const pid = present.processId
      throw new FolderInUse(`Another process uses this folder: process ${pid} (${path})`, { pid, path })
    }
    this.#put(path, new TextEncoder().encode(JSON.stringify({ pid: holder.processId })), 0o600)
    this.#locks.set(path, holder)
    return () => this.#change(holder.thread, path, () => {
      if (this.#locks.get(path) !== holder) return
      this.#locks.delete(path)
      this.#nodes.delete(path)
    })
  }
}

/** As `node:fs` throws it: with a code, and no class of ours. */
const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code })

/** With room behind it, so that a log is not copied whole for each line; nobody but the disk has the buffer. */
function grownBy(old: Uint8Array, added: Uint8Array): Uint8Array {
  const length = old.length + added.length
  const room = old.buffer.byteLength - old.byteOffset
  const grown = room >= length ? new Uint8Array(old.buffer, old.byteOffset, length)
    : new Uint8Array(new ArrayBuffer(2 * length), 0, length)
  if (grown.buffer !== old.buffer) grown.set(old)
  grown.set(added, old.length)
  return grown
}
