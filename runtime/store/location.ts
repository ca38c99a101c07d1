import { StoreMoved } from '../errors.ts'
import type { EtcdCredentials } from './etcd/connection.ts'

/** Where the stores of a host's actors lie. */
export type StoreLocation =
  /** Embedded stores below an absolute folder, one each. */
  | {
    readonly type: 'folder'
    readonly path: string
    /** They are being moved there: one that has gone already is opened there. */
    readonly moving?: StoreLocation & { readonly type: 'etcd' }
  }
  /** Below a prefix of an etcd cluster: the store of `vault` under `{prefix}/vault`. */
  | {
    readonly type: 'etcd'
    readonly endpoints: readonly string[]
    readonly prefix: string
    /** With a private key: it goes in a start message and nowhere else. */
    readonly credentials?: EtcdCredentials
  }

/** Where one store lies in etcd. */
export const prefixOf = (prefix: string, name: string): string => `${prefix.replace(/\/+$/, '')}/${name}`

/** Opens a store of a folder; one that has gone where its location says that they are being moved, is opened there. */
export async function followMove<T>(
  { moving }: StoreLocation & { readonly type: 'folder' }, name: string, open: () => Promise<T>,
  openThere: (location: StoreLocation) => Promise<T>,
): Promise<T> {
  try {
    return await open()
  } catch (error) {
    // It was moved a moment ago, by a worker that has ended since
    const went = moving && error instanceof StoreMoved && error.details['prefix'] === prefixOf(moving.prefix, name)
    if (!went) throw error
    return await openThere(moving)
  }
}

export const folderOf = (path: string): StoreLocation => ({ type: 'folder', path })

/**
 * What must be reached to open them: `localhost:2379`. A name has its addresses beside it, and stands there without a
 * port as well: on Deno that is what it takes to look it up.
 * @param lookup the addresses of a name
 */
export async function reachedBy(
  location: StoreLocation, lookup: (name: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (location.type === 'folder') return []
  const reached = await Promise.all(location.endpoints.map(async (endpoint) => {
    const address = endpoint.replace(/^https?:\/\//, '')
    const [, name = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
    const found = name === '' || /^[\d.]+$|^\[/.test(name) ? [] : await lookup(name)
    return [address, ...(found.length > 0 ? [name] : []), ...found.map((each) =>
      (each.includes(':') ? `[${each}]:${port}` : `${each}:${port}`))]
  }))
  return [...new Set(reached.flat())]
}
