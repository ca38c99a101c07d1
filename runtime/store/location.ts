import type { EtcdCredentials } from './etcd/connection.ts'

/** Where the stores of a host's actors lie. */
export type StoreLocation =
  /** Embedded stores below an absolute folder, one each. */
  | { readonly type: 'folder'; readonly path: string }
  /** Below a prefix of an etcd cluster: the store of `vault` under `{prefix}/vault`. */
  | {
    readonly type: 'etcd'
    readonly endpoints: readonly string[]
    readonly prefix: string
    /** With a private key: it goes in a start message and nowhere else. */
    readonly credentials?: EtcdCredentials
  }

export const folderOf = (path: string): StoreLocation => ({ type: 'folder', path })

/** What must be reached to open them, as `localhost:2379`. */
export const reachedBy = (location: StoreLocation): readonly string[] =>
  (location.type === 'folder' ? [] : location.endpoints.map((endpoint) => endpoint.replace(/^https?:\/\//, '')))
