import type { SimulatedEtcd } from '../../../runtime/sim/etcd.ts'
import type { Change } from '../../../runtime/store/change.ts'
import type { Entry } from '../../../runtime/store/store.ts'
import { OOD } from '../cluster.ts'

export const SOURCES = `${OOD}:/zone/stores/`
/** Where the stores are moved to: below a name like that of the host, so that what is told of a store fits both. */
export const PREFIX = `/${OOD}/moved`
const TARGETS = `etcd/${OOD}:/moved/`

interface Source {
  readonly entries: Map<string, Entry>
  revision: number
  retired: boolean
}

/**
 * Of each store there is one, at every moment: its source until that is retired, its target from then on. It is retired
 * only when the target is in use, and has all of it.
 */
export class OneStore {
  /** Writes that actors made at a target. */
  written = 0
  readonly #broken: (detail: string) => void
  readonly #sources = new Map<string, Source>()

  constructor(broken: (detail: string) => void) {
    this.#broken = broken
  }

  get retired(): readonly string[] {
    return [...this.#sources].filter(([, { retired }]) => retired).map(([name]) => name).sort()
  }

  /** What became durable, wherever that was. */
  commit(path: string, changes: readonly Change[], etcd: SimulatedEtcd | undefined): void {
    if (path.startsWith(SOURCES)) this.#atSource(path.slice(SOURCES.length), changes, etcd!)
    if (path.startsWith(TARGETS)) this.#atTarget(path.slice(TARGETS.length), changes)
  }

  #atSource(name: string, changes: readonly Change[], etcd: SimulatedEtcd): void {
    const source = this.#sources.get(name) ?? { entries: new Map<string, Entry>(), revision: 0, retired: false }
    this.#sources.set(name, source)
    for (const { revision, writes, moved } of changes) {
      if (writes.length > 0 && source.retired) this.#broken(`${name} was written where it was, at ${revision}`)
      for (const { key, entry } of writes) {
        if (entry) source.entries.set(key, entry)
        else source.entries.delete(key)
      }
      source.revision = revision
      if (!moved) continue
      source.retired = true
      this.#demandWhole(name, source, moved.digest, etcd)
    }
  }

  /** By the keys and values themselves, and not by the digest that the mover has counted. */
  #demandWhole(name: string, { entries, revision }: Source, digest: string, etcd: SimulatedEtcd): void {
    const { marker, entries: moved } = etcd.look(`${PREFIX}/${name}`)
    if (marker?.state !== 'active') return this.#broken(`${name} was retired, and its target is ${marker?.state}`)
    if (marker.revision !== revision || marker.digest !== digest || marker.entries !== entries.size) {
      this.#broken(`${name} was retired at ${revision}, and its target is of ${marker.revision}`)
    }
    const there = new Map(moved.map((entry) => [entry.key, entry.value]))
    for (const [key, { value }] of entries) {
      const found = there.get(key)
      if (!found || !sameBytes(found, value)) this.#broken(`${name} was retired without ${key} in its target`)
    }
    if (there.size !== entries.size) this.#broken(`${name} has ${entries.size} keys, and its target ${there.size}`)
  }

  #atTarget(name: string, changes: readonly Change[]): void {
    for (const { revision, writes } of changes) {
      if (writes.length === 0) continue
      this.written++
      if (this.#sources.get(name)?.retired !== true) {
        this.#broken(`${name} was written where it goes, at ${revision}, before its source was retired`)
      }
    }
  }
}

const sameBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && left.every((byte, index) => byte === right[index])
