import { hostsPath, HostsTold, HostTold } from '../../actors/enrolment/protocol.ts'
import { LimitExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { Terminal } from '../terminal.ts'
import { enrolmentOf } from './enrolment-socket.ts'
import type { ZoneClient } from './zone-client.ts'

/** Hosts that joined the zone that runs on this machine. */
export interface JoinedHosts {
  /** By name. @throws LimitExceeded */
  list(): Promise<readonly HostTold[]>
  /** @throws NotFound, Denied */
  revoke(host: string): Promise<HostTold>
}

export function joinedHostsOf(terminal: Terminal, client: ZoneClient, dir: string): JoinedHosts {
  const ask = enrolmentOf(terminal, client, dir)
  return {
    async list() {
      const found: HostTold[] = []
      for (let after: string | undefined; ;) {
        const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`
        const page: Infer<typeof HostsTold> = await ask(HostsTold, 'GET', `${hostsPath}${query}`)
        found.push(...page.hosts)
        after = page.next
        if (after === undefined) return found
        if (found.length > limits.clientHosts) {
          throw new LimitExceeded(`There are more hosts than are listed: ${limits.clientHosts}`)
        }
      }
    },
    revoke: (host) => ask(HostTold, 'DELETE', `${hostsPath}/${encodeURIComponent(host)}`),
  }
}
