import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { PublicJwk } from '../../runtime/platform/ports.ts'

/** What both ends of both contenders are given: certificates that each shows the other, and keys of one device. */
export interface Setup {
  readonly root: string
  readonly server: TlsPair
  readonly client: TlsPair
  /** Certifies both actors' link keys. */
  readonly devicePem: string
  /** Signs the caller's session. */
  readonly token: string
  readonly tokenKey: PublicJwk
}

export type Contender = 'tunnel' | 'grpc'

export type Order =
  | { readonly type: 'serve'; readonly contender: Contender; readonly setup: Setup }
  | { readonly type: 'dial'; readonly contender: Contender; readonly setup: Setup; readonly port: number }
  | { readonly type: 'run'; readonly inFlight: number; readonly ms: number }

/** Answers with the echo of its text. */
export type Call = (n: number) => Promise<{ readonly text: string; readonly n: number }>

export const HERE = '127.0.0.1'
