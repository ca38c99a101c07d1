import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Clock } from '../../../runtime/platform/ports.ts'
import type { Barrier, Change } from '../barrier.ts'
import { damaged } from '../record.ts'
import {
  Config, configPath, isDeleted, Metadata, metadataPath, mismatch, noConfig, Value, versionPath, type Version,
} from './record.ts'

export interface Found {
  readonly metadata: Metadata
  readonly version: Version
  /** Undefined where it is deleted or destroyed. */
  readonly value: Value | undefined
}

export interface PutOptions {
  /** The version that must be current, 0 for none. */
  readonly cas?: number | undefined
  /** Of the versions, this one counted. Default: as the secret, its mount, or the limit says. */
  readonly kept?: number
  /** What is written is made of what is current. @throws what it throws; nothing is written then */
  readonly from?: (current: Found | undefined) => Value
}

/** Versioned values below one prefix: what links and HTTP have in common. */
export interface KvStore {
  config(): Promise<Config>
  configure(config: Config): Promise<void>
  metadata(path: string): Promise<Metadata | undefined>
  /** The version, or the current one. Undefined where there is none of that number. @throws VaultDamaged */
  get(path: string, version?: number): Promise<Found | undefined>
  /** @throws SecretVersionMismatch, also where one has to be named and none is (`details.required`) */
  put(path: string, value: Value | undefined, options: PutOptions): Promise<{ metadata: Metadata; version: Version }>
  /** Changes metadata, and takes away the values of versions that are destroyed or dropped. Undefined: nothing there. */
  change(path: string, change: (metadata: Metadata) => Metadata): Promise<Metadata | undefined>
  /** The same, and makes it where it is absent. */
  ensure(path: string, change: (metadata: Metadata) => Metadata): Promise<Metadata>
  /** With all versions. */
  remove(path: string): Promise<void>
}

interface KvPorts {
  /** A view: its paths begin below the mount. */
  readonly barrier: Barrier
  readonly clock: Clock
  /** What the mount is configured with does not count. */
  readonly unconfigured?: boolean
}

export function createKvStore({ barrier, clock, unconfigured = false }: KvPorts): KvStore {
  const attempts = limits.vaultTransactionAttempts
  const overloaded = (): Error => new Overloaded(`Too many writers of one secret; attempts: ${attempts}`)

  const write = (
    path: string, revision: number, before: Metadata | undefined, after: Metadata, more: readonly Change[] = [],
  ): Promise<boolean> => {
    const live = new Set(after.versions.filter(({ destroyed }) => !destroyed).map(({ version }) => version))
    const gone = (before?.versions ?? []).filter(({ version, destroyed }) => !destroyed && !live.has(version))
    return barrier.commit([{ key: metadataPath(path), modRevision: revision }], [
      { path: metadataPath(path), value: after }, ...more,
      ...gone.map(({ version }) => ({ path: versionPath(path, version), value: undefined })),
    ])
  }
  const changed = async (
    path: string, change: (metadata: Metadata) => Metadata, absent: Metadata | undefined,
  ): Promise<Metadata | undefined> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const found = await barrier.read(metadataPath(path), Metadata)
      const before = found?.value ?? absent
      if (before === undefined) return undefined
      const after = change(before)
      if (await write(path, found?.revision ?? 0, found?.value, after)) return after
    }
    throw overloaded()
  }
  const config = async (): Promise<Config> => (await barrier.read(configPath, Config))?.value ?? noConfig

  const get: KvStore['get'] = async (path, of) => {
    // A writer may drop a version between the two reads, so a miss is looked at again
    for (let attempt = 0; attempt < attempts; attempt++) {
      const found = await barrier.read(metadataPath(path), Metadata)
      const wanted = of ?? found?.value.current
      const version = found?.value.versions.find((one) => one.version === wanted)
      if (found === undefined || version === undefined) return undefined
      if (isDeleted(version, clock.now())) return { metadata: found.value, version, value: undefined }
      const value = await barrier.read(versionPath(path, version.version), Value)
      if (value !== undefined) return { metadata: found.value, version, value: value.value }
      const again = await barrier.read(metadataPath(path), Metadata)
      if (again?.revision === found.revision) throw damaged(versionPath(path, version.version), 'it is missing')
    }
    throw overloaded()
  }

  return {
    config,
    configure: async (value) => void await barrier.commit([], [{ path: configPath, value }]),
    metadata: async (path) => (await barrier.read(metadataPath(path), Metadata))?.value,
    get,
    async put(path, given, { cas, kept, from }) {
      const mount = unconfigured ? noConfig : await config()
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await barrier.read(metadataPath(path), Metadata)
        const before = found?.value
        const current = before?.current ?? 0
        if (cas === undefined && (before?.casRequired || mount.casRequired)) throw mismatch(undefined, current)
        if (cas !== undefined && cas !== current) throw mismatch(cas, current)
        const base = from && await get(path)
        // Made of another version than the one that is current now
        if (from && (base?.version.version ?? 0) !== current && current !== 0) continue
        const value = from ? from(base) : given!
        const now = clock.now()
        const after = before?.deleteAfterSeconds || mount.deleteAfterSeconds
        const version: Version = {
          version: current + 1, createdAt: now, ...(after > 0 ? { deletedAt: now + after * 1_000 } : {}),
        }
        const most = kept ?? (before?.maxVersions || mount.maxVersions || limits.vaultSecretVersions)
        const versions = [...(before?.versions ?? []), version].slice(-most)
        const metadata: Metadata = {
          createdAt: now, ...before, updatedAt: now, current: version.version, versions,
        }
        const put: Change = { path: versionPath(path, version.version), value }
        if (await write(path, found?.revision ?? 0, before, metadata, [put])) return { metadata, version }
      }
      throw overloaded()
    },
    change: (path, change) => changed(path, change, undefined),
    async ensure(path, change) {
      const now = clock.now()
      return (await changed(path, change, { current: 0, versions: [], createdAt: now, updatedAt: now }))!
    },
    async remove(path) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await barrier.read(metadataPath(path), Metadata)
        if (found === undefined) return
        const live = found.value.versions.filter(({ destroyed }) => !destroyed)
        const gone = [metadataPath(path), ...live.map(({ version }) => versionPath(path, version))]
        const guard = { key: metadataPath(path), modRevision: found.revision }
        if (await barrier.commit([guard], gone.map((each) => ({ path: each, value: undefined })))) return
      }
      throw overloaded()
    },
  }
}
