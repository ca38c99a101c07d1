/** What the two processes of the bench are asked, one order at a time. */
export interface Given {
  /** As in its file. */
  readonly token: string
  readonly host: string
  readonly roots: readonly string[]
}

export type Order =
  /** Boots a zone that hosts may join. Answers its port, and that of bare handshakes. */
  | { readonly type: 'boot' }
  | { readonly type: 'tokens'; readonly hosts: readonly string[] }
  /** Microseconds a certificate: a vault's engine alone, durable. */
  | { readonly type: 'sign'; readonly count: number; readonly inFlight: number }
  /** Microseconds of processor time of the process, all its threads, since it began. */
  | { readonly type: 'spent' }
  /** After all threads have collected their garbage. */
  | { readonly type: 'memory' }
  /** Microseconds a join, and a handshake. */
  | { readonly type: 'join'; readonly port: number; readonly given: readonly Given[]; readonly inFlight: number }
  | { readonly type: 'handshakes'; readonly port: number; readonly count: number; readonly inFlight: number }
  /** Each host that has joined holds a tunnel from now on. */
  | { readonly type: 'dial'; readonly port: number; readonly count: number }
  | { readonly type: 'end' }

export interface Booted { readonly port: number; readonly barePort: number }

export interface Memory {
  readonly rssBytes: number
  /** Of the main thread and all actors, where a runtime tells. */
  readonly heapBytes?: number
}

export const HERE = '127.0.0.1'
