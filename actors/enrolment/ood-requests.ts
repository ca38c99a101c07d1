import { NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import { maxLength, object, pipe, string, type Client } from '../../runtime/protocol.ts'
import { isName } from '../records.ts'
import type { Operation } from '../rbac/policy.ts'
import type { Vault } from '../vault/protocol.ts'
import { json, readBody } from './answers.ts'
import { oodRequestsPath } from './protocol.ts'

export const Approval = object({ document: pipe(string(), maxLength(limits.document)) })

interface Ports {
  readonly vault: Pick<Client<typeof Vault>, 'oodRequests' | 'approveOod' | 'refuseOod'>
  /** To whom the hosts belong. */
  readonly owner: string
  /** @throws Denied; else for whom it is asked */
  readonly demand: (request: HttpRequest, operation: Operation) => Promise<string>
}

/**
 * Who waits to become an OOD, and what the owner says to it. The session here lets somebody pass the owner's signature
 * on; it makes no OOD.
 */
export function createOodRequests({ vault, owner, demand }: Ports) {
  return async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    if (path === oodRequestsPath && method === 'GET') {
      await demand(request, 'read')
      return json(200, { ...await vault.oodRequests({}), owner })
    }
    const host = path.slice(oodRequestsPath.length + 1)
    if (!isName(host)) throw new NotFound('There is nothing at this path')
    if (method === 'POST') {
      await demand(request, 'write')
      const { document } = readBody(Approval, request.body)
      return json(200, await vault.approveOod({ host, document }))
    }
    if (method !== 'DELETE') throw new NotFound('There is nothing at this path')
    const by = await demand(request, 'write')
    const device = new URLSearchParams(request.query).get('device') ?? ''
    return json(200, await vault.refuseOod({ host, device, by }))
  }
}
