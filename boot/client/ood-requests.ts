import { oodRequestsPath, OodRequestsTold } from '../../actors/enrolment/protocol.ts'
import { OodRequest } from '../../actors/vault/protocol.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { Terminal } from '../terminal.ts'
import { enrolmentOf } from './enrolment-socket.ts'
import type { ZoneClient } from './zone-client.ts'

/** Hosts that wait to become OODs of the zone that runs on this machine. */
export interface OodRequests {
  list(): Promise<Infer<typeof OodRequestsTold>>
  /** Passes on what the owner has signed. @throws NotFound, Denied */
  approve(host: string, document: string): Promise<OodRequest>
  /** @throws NotFound, Denied */
  refuse(host: string, device: string): Promise<OodRequest>
}

export function oodRequestsOf(terminal: Terminal, client: ZoneClient, dir: string): OodRequests {
  const ask = enrolmentOf(terminal, client, dir)
  const of = (host: string): string => `${oodRequestsPath}/${encodeURIComponent(host)}`
  return {
    list: () => ask(OodRequestsTold, 'GET', oodRequestsPath),
    approve: (host, document) => ask(OodRequest, 'POST', of(host), JSON.stringify({ document })),
    refuse: (host, device) => ask(OodRequest, 'DELETE', `${of(host)}?device=${encodeURIComponent(device)}`),
  }
}
