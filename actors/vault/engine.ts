import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Barrier } from './barrier.ts'

/** A secrets engine: what answers below one mount of the vault's HTTP API (`/v1/{mount}/…`), behind its policies. */
export interface Engine {
  readonly type: 'kv' | 'pki'
  /** @throws InvalidArgument (400), CertificateRefused (400), NotInVault (404), VaultSealed (503) */
  handle(request: EngineRequest): Promise<EngineResponse>
  /** Whether a write there changes what is there, and does not create it. Without it every write changes. */
  exists?(path: string): Promise<boolean>
  /** Answered without a token: authorities and revocation lists. Below the mount; `*` stands for one segment. */
  readonly open: readonly string[]
}

export interface EngineRequest {
  readonly operation: 'read' | 'create' | 'update' | 'patch' | 'delete' | 'list'
  /** Below the mount, without a slash at either end. */
  readonly path: string
  /** The body, or for reads the query; unchecked. */
  readonly data: Readonly<Record<string, unknown>>
  /** Accessor of the token, for the inventory and the audit. */
  readonly holder: string
}

export interface EngineResponse {
  /** Absent: 204. */
  readonly data?: Readonly<Record<string, unknown>>
  readonly warnings?: readonly string[]
  /** Default 200. */
  readonly status?: number
  /** In place of the envelope: certificates and revocation lists as files. */
  readonly raw?: { readonly contentType: string; readonly body: Uint8Array }
}

/** What an engine is made with. `barrier` is a view: its paths begin below the mount's own prefix. */
export interface EnginePorts {
  readonly barrier: Barrier
  readonly keys: Keys
  readonly random: Random
  readonly clock: Clock
}
