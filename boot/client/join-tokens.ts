import { TokenMade } from '../../actors/enrolment/control.ts'
import { joinTokensPath } from '../../actors/enrolment/protocol.ts'
import { JoinToken, Vault } from '../../actors/vault/protocol.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { Terminal } from '../terminal.ts'
import { enrolmentOf } from './enrolment-socket.ts'
import type { ZoneClient } from './zone-client.ts'

/** Join tokens of a zone that runs on this machine: by its Unix socket, and the session of who is logged in. */
export interface JoinTokens {
  /** @throws Denied, InvalidArgument, LimitExceeded, ZoneNotRunning */
  create(asked: { host: string; role: string; cidr?: string; ttlSeconds?: number }): Promise<Infer<typeof TokenMade>>
  list(): Promise<readonly JoinToken[]>
  /** @throws NotFound */
  revoke(id: string): Promise<JoinToken>
}

export function joinTokensOf(terminal: Terminal, client: ZoneClient, dir: string): JoinTokens {
  const ask = enrolmentOf(terminal, client, dir)
  return {
    create: (asked) => ask(TokenMade, 'POST', joinTokensPath, JSON.stringify(asked)),
    list: async () => (await ask(Vault.methods.listJoinTokens.result, 'GET', joinTokensPath)).tokens,
    revoke: (id) => ask(JoinToken, 'DELETE', `${joinTokensPath}/${encodeURIComponent(id)}`),
  }
}
