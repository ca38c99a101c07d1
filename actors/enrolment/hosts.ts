import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf, NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { isName } from '../records.ts'
import type { Operation } from '../rbac/policy.ts'
import type { JoinedHost, Vault } from '../vault/protocol.ts'
import { json } from './answers.ts'
import { hostsPath, type HostTold } from './protocol.ts'
import type { Registrations } from './registrations.ts'
import type { ZoneTrust } from './trust.ts'

interface Ports {
  readonly vault: Pick<Client<typeof Vault>, 'joinedHosts' | 'joinedHost' | 'revokeHost'>
  readonly registrations: Pick<Registrations, 'settle'>
  readonly trust: Pick<ZoneTrust, 'refresh'>
  /** @throws Denied; else for whom it is asked */
  readonly demand: (request: HttpRequest, operation: Operation) => Promise<string>
  /** What `kv://` says is not yet what the vault says. */
  readonly late: () => void
}

/** Hosts that joined: who they are, and that one is no more. */
export function createHosts({ vault, registrations, trust, demand, late }: Ports) {
  const told = ({ document: _, ...host }: JoinedHost): HostTold => host
  const list = async (request: HttpRequest): Promise<HttpResponse> => {
    await demand(request, 'read')
    const after = new URLSearchParams(request.query).get('after') ?? undefined
    const { hosts, more } = await vault.joinedHosts(after === undefined ? {} : { after })
    const next = more ? hosts.at(-1)?.host : undefined
    return json(200, { hosts: hosts.map(told), ...(next === undefined ? {} : { next }) })
  }
  /** The vault's transaction decides; the rest follows from it, here or when this is asked again. */
  const revoke = async (request: HttpRequest, host: string): Promise<HttpResponse> => {
    const by = await demand(request, 'write')
    const revoked = await vault.revokeHost({ host, by })
    try {
      await registrations.settle(host)
    } catch (error) {
      late()
      throw error
    }
    await trust.refresh()
    return json(200, told(revoked))
  }
  return async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    if (path === hostsPath && method === 'GET') return list(request)
    const host = path.slice(hostsPath.length + 1)
    if (method === 'DELETE' && isName(host)) return revoke(request, host)
    throw new NotFound('There is nothing at this path')
  }
}

export interface Keeping {
  /** Something could not be put right; it is tried again soon. */
  late(): void
  run(): Promise<void>
}

/**
 * Makes good what a crash left between the vault and `kv://`: at the start, after each failure, and once in a while for
 * what others did.
 */
export function keepRegistered(
  { clock, stopping, log }: Pick<ActorStart, 'clock' | 'stopping' | 'log'>, registrations: Pick<Registrations, 'sweep'>,
): Keeping {
  let wake = new AbortController()
  let isLate = false
  stopping.addEventListener('abort', () => wake.abort())
  return {
    late() {
      isLate = true
      wake.abort()
    },
    async run() {
      while (!stopping.aborted) {
        wake = new AbortController()
        isLate = false
        try {
          const settled = await registrations.sweep()
          if (settled > 0) log.info('Registrations of hosts were put right', { hosts: settled })
        } catch (error) {
          if (stopping.aborted) return
          log.warn(`Registrations of hosts could not be put right: ${messageOf(error)}`)
          isLate = true
        }
        if (!isLate) await pause(clock, limits.registrationSweepMs, wake.signal)
        if (isLate) await pause(clock, limits.registrationRetryMs, stopping)
      }
    },
  }
}
