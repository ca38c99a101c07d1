import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Random } from '../../../runtime/platform/ports.ts'
import {
  array, boolean, integer, number, object, optional, picklist, pipe, string, type Infer,
} from '../../../runtime/protocol.ts'
import type { Barrier } from '../barrier.ts'
import { badRequest, uuid } from './answer.ts'

const Mount = object({
  /** With a slash at its end. */
  path: string(), type: picklist(['kv', 'pki']), uuid: string(), accessor: string(), description: string(),
  defaultTtl: pipe(number(), integer()), maxTtl: pipe(number(), integer()),
  /** It is being taken away: nothing answers there, and what it kept goes. */
  removed: optional(boolean()),
})
export type Mount = Infer<typeof Mount> & { readonly prefix: string; readonly isFixed: boolean }

const Table = object({ mounts: array(Mount) })
const tablePath = 'sys/mounts'

const fixedMount = (path: string, type: Mount['type'], description: string): Mount => ({
  path, type, uuid: `fixed-${path.slice(0, -1)}`, accessor: `${type}_${path.slice(0, -1)}`, description,
  defaultTtl: 0, maxTtl: 0, prefix: path, isFixed: true,
})
/** What every vault has: none of them can be taken away. */
const fixed: readonly Mount[] = [
  fixedMount('pki-etcd/', 'pki', 'authority of the zone’s etcd'),
  fixedMount('pki/', 'pki', 'authority of the zone'),
  fixedMount('secret/', 'kv', 'key/value secret storage'),
]
/** Belong to the vault itself, or to what Vault has there. */
const reserved = ['sys/', 'auth/', 'identity/', 'cubbyhole/', 'audit/']
const SHAPE = /^(?:[a-z0-9][a-z0-9_.-]{0,63}\/){1,4}$/i

export interface Mounts {
  all(): Promise<readonly Mount[]>
  /** The one that the path lies in. */
  find(path: string): Promise<Mount | undefined>
  /** @throws Fault 400 */
  add(path: string, type: Mount['type'], more: { description: string; defaultTtl: number; maxTtl: number }): Promise<void>
  tune(path: string, change: Partial<Pick<Mount, 'description' | 'defaultTtl' | 'maxTtl'>>): Promise<void>
  /** And all that it kept. @throws Fault 400 */
  remove(path: string): Promise<void>
  /** Takes away what a crash has left of a mount that was removed. */
  resume(): Promise<void>
}

export function createMounts({ barrier, random }: { readonly barrier: Barrier; readonly random: Random }): Mounts {
  const read = async () => {
    const found = await barrier.read(tablePath, Table)
    return { mounts: found?.value.mounts ?? [], guard: { key: tablePath, modRevision: found?.revision ?? 0 } }
  }
  const change = async (by: (mounts: Infer<typeof Mount>[]) => Infer<typeof Mount>[]): Promise<void> => {
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const { mounts, guard } = await read()
      if (await barrier.commit([guard], [{ path: tablePath, value: { mounts: by(mounts) } }])) return
    }
    throw new Overloaded(`Too many changes of the mounts; attempts: ${limits.vaultTransactionAttempts}`)
  }
  const own = async (): Promise<readonly Mount[]> => (await read()).mounts
    .filter(({ removed }) => !removed)
    .map((mount) => ({ ...mount, prefix: `logical/${mount.uuid}/`, isFixed: false }))
  const clear = async ({ path, uuid: id }: Pick<Mount, 'path' | 'uuid'>): Promise<void> => {
    const prefix = `logical/${id}/`
    for (;;) {
      const { paths } = await barrier.list(prefix, { limit: limits.vaultClearBatch })
      if (paths.length === 0) break
      await barrier.commit([], paths.map((each) => ({ path: each, value: undefined })))
    }
    await change((mounts) => mounts.filter((mount) => mount.path !== path || mount.uuid !== id))
  }
  const isIn = (path: string) => ({ path: mounted }: { readonly path: string }): boolean =>
    path.startsWith(mounted) || `${path}/` === mounted
  const changeable = (path: string): void => {
    if (fixed.some((mount) => mount.path === path)) throw badRequest(`cannot change the mount at ${path}`)
  }
  return {
    all: async () => [...fixed, ...await own()],
    async find(path) {
      const known = fixed.find(isIn(path))
      // None lies in another
      return known ?? (await own()).find(isIn(path))
    },
    async add(path, type, more) {
      if (!SHAPE.test(path) || reserved.some((each) => path.startsWith(each))) throw badRequest(`cannot mount at ${path}`)
      await change((mounts) => {
        const taken = [...fixed, ...mounts].find((mount) => path.startsWith(mount.path) || mount.path.startsWith(path))
        if (taken) throw badRequest(`path is already in use at ${taken.path}`)
        if (mounts.length >= limits.vaultMounts) throw badRequest(`there may be no more than ${limits.vaultMounts} mounts`)
        const id = uuid(random)
        return [...mounts, { path, type, uuid: id, accessor: `${type}_${id.slice(0, 8)}`, ...more }]
      })
    },
    async tune(path, to) {
      changeable(path)
      await change((mounts) => {
        if (!mounts.some((mount) => mount.path === path)) throw badRequest(`no mount at ${path}`)
        return mounts.map((mount) => (mount.path === path ? { ...mount, ...to } : mount))
      })
    },
    async remove(path) {
      changeable(path)
      let found: Infer<typeof Mount> | undefined
      await change((mounts) => {
        found = mounts.find((mount) => mount.path === path)
        return mounts.map((mount) => (mount.path === path ? { ...mount, removed: true } : mount))
      })
      if (found) await clear(found)
    },
    async resume() {
      for (const mount of (await read()).mounts) if (mount.removed) await clear(mount)
    },
  }
}
