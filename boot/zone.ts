import type { Files, Platform } from '../runtime/platform/ports.ts'
import type { RemoteActor } from '../runtime/remote.ts'
import type { StoreLocation } from '../runtime/store/location.ts'
import type { Trace } from '../runtime/trace.ts'
import type { ZoneConfig } from './config.ts'
import type { EtcdStart } from './etcd/start.ts'
import type { Hosts } from './hosts.ts'
import type { Identity } from './init.ts'
import type { KnownHosts } from './known-hosts.ts'
import type { Observer } from './observe/observer.ts'

/** What the hosts of this process share. */
export interface Zone {
  readonly platform: Platform
  /** Where another host runs: asked at each of its starts. */
  readonly platformOf: (host: string) => Platform
  /** What stands between a host and an actor of another one. */
  readonly between: (from: string, to: string, actor: RemoteActor) => RemoteActor
  readonly files: Files
  readonly identity: Identity
  readonly config: ZoneConfig
  /** Where the first host's actors have their stores: another place after a migration. */
  stores: StoreLocation
  /** The config file as it is now. @throws ConfigInvalid */
  readonly reread: () => Promise<ZoneConfig>
  /** Of a zone whose config names etcd. */
  readonly etcd: EtcdStart | undefined
  /** What they must reach for that: hosts with their ports. */
  readonly storesAt: readonly string[]
  readonly trace: Trace
  readonly hosts: Hosts
  /** Sees all of them. */
  readonly observer: Observer
  readonly knownHosts: KnownHosts
  /** Where its gateway is now; undefined before it serves. */
  readonly url: () => string | undefined
}
