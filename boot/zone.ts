import type { Files, Platform } from '../runtime/platform/ports.ts'
import type { Trace } from '../runtime/trace.ts'
import type { ZoneConfig } from './config.ts'
import type { Hosts } from './hosts.ts'
import type { Identity } from './init.ts'
import type { KnownHosts } from './known-hosts.ts'
import type { Observer } from './observe/observer.ts'

/** What the hosts of this process share. */
export interface Zone {
  readonly platform: Platform
  readonly files: Files
  readonly identity: Identity
  readonly config: ZoneConfig
  readonly trace: Trace
  readonly hosts: Hosts
  /** Sees all of them. */
  readonly observer: Observer
  readonly knownHosts: KnownHosts
  /** Where its gateway is now; undefined before it serves. */
  readonly url: () => string | undefined
}
