import { Overloaded } from '../../../../runtime/errors.ts'
import { limits } from '../../../../runtime/limits.ts'
import type { Barrier, Change } from '../../barrier.ts'
import type { TokenNames } from './names.ts'
import {
  accessorPath, childPath, dueOf, duePath, folder, idPath, revokingPath, TokenRecord,
} from './record.ts'

export interface Revocation {
  /** In the transaction by which a token comes to its end. */
  note(name: string): Change
  tree(name: string): Promise<void>
  alone(name: string): Promise<void>
  /** Goes on with what a crash has interrupted. How many there were. */
  resume(): Promise<number>
  /** Expired by `now`, up to the limit, and when the one after them is due. */
  due(now: number): Promise<{ readonly due: readonly string[]; readonly next: number | undefined }>
}

/**
 * A token and a note that its children have to follow go in one transaction, the children each likewise: whatever is
 * interrupted is found again by its notes, and nobody can make a child of a token that is gone.
 */
export function createRevocation({ barrier, names }: {
  readonly barrier: Barrier; readonly names: TokenNames
}): Revocation {
  const attempts = limits.vaultTransactionAttempts

  /** False when there was none: somebody else was faster. */
  const remove = async (name: string, extra: readonly Change[]): Promise<boolean> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const found = await barrier.read(idPath(name), TokenRecord)
      if (found === undefined) return false
      const { accessor, expiresAt, parent } = found.value
      const gone = [
        idPath(name), accessorPath(names.accessor(accessor)),
        ...(expiresAt === 0 ? [] : [duePath(expiresAt, name)]),
        ...(parent === undefined ? [] : [childPath(parent, name)]),
      ]
      const changes = [...gone.map((path) => ({ path, value: undefined })), ...extra]
      if (await barrier.commit([{ key: idPath(name), modRevision: found.revision }], changes)) return true
    }
    throw new Overloaded(`Too many changes of one token; attempts: ${attempts}`)
  }
  const childrenOf = async (name: string): Promise<readonly string[]> => {
    const prefix = `${folder.children}${name}/`
    const { paths } = await barrier.list(prefix, { limit: limits.vaultTokenSweep })
    return paths.map((path) => path.slice(prefix.length))
  }
  const note = (name: string): Change => ({ path: revokingPath(name), value: {} })

  /** All that is below, from the top down, without recursion: as deep as anybody may have made it. */
  const finish = async (first: string): Promise<void> => {
    const open = [first]
    while (open.length > 0) {
      const name = open.at(-1)!
      const children = await childrenOf(name)
      for (const child of children) {
        const wasThere = await remove(child, [note(child)])
        if (wasThere) open.push(child)
        // Its link is left where its entry is not: of nobody
        else await barrier.commit([], [{ path: childPath(name, child), value: undefined }])
      }
      if (children.length > 0) continue
      await barrier.commit([], [{ path: revokingPath(name), value: undefined }])
      open.splice(open.lastIndexOf(name), 1)
    }
  }

  const tree = async (name: string): Promise<void> => {
    await remove(name, [note(name)])
    await finish(name)
  }

  return {
    note, tree,
    async alone(name) {
      for (;;) {
        const children = await childrenOf(name)
        if (children.length === 0) break
        for (const child of children) await orphaned(barrier, name, child)
      }
      // One that was made meanwhile goes as a child does
      await tree(name)
    },
    async resume() {
      const { paths } = await barrier.list(folder.revoking, { limit: limits.vaultTokenSweep })
      for (const path of paths) await tree(path.slice(folder.revoking.length))
      return paths.length
    },
    async due(now) {
      const { paths } = await barrier.list(folder.due, { limit: limits.vaultTokenSweep })
      const all = paths.map(dueOf)
      const due = all.filter(({ at }) => at <= now)
      const next = due.length === limits.vaultTokenSweep ? now : all.find(({ at }) => at > now)?.at
      return { due: due.map(({ name }) => name), next }
    },
  }
}

async function orphaned(barrier: Barrier, parent: string, child: string): Promise<void> {
  const link: Change = { path: childPath(parent, child), value: undefined }
  for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
    const found = await barrier.read(idPath(child), TokenRecord)
    if (found === undefined) return void await barrier.commit([], [link])
    const { parent: _, ...record } = found.value
    const guard = { key: idPath(child), modRevision: found.revision }
    if (await barrier.commit([guard], [{ path: idPath(child), value: record }, link])) return
  }
  throw new Overloaded(`Too many changes of one token; attempts: ${limits.vaultTransactionAttempts}`)
}
