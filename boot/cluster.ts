import type { HostState } from '../runtime/supervision.ts'

/** The hosts that this process runs. */
export interface Cluster {
  hosts(): readonly HostState[]
  /** Ends a host, or one actor of it, at once, as a crash would. @throws NotFound */
  kill(host: string, actor?: string): Promise<void>
}
