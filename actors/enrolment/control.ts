import type { ActorStart } from '../../runtime/actor.ts'
import { InvalidArgument, NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import {
  array, integer, maxLength, number, object, optional, pipe, string, type Client,
} from '../../runtime/protocol.ts'
import type { Enforcer } from '../enforcement/enforcer.ts'
import { JOIN_SEQUENCE, joinStep } from '../join-steps.ts'
import type { Operation } from '../rbac/policy.ts'
import { PublicKey } from '../system-config/protocol.ts'
import { JoinToken, type Vault } from '../vault/protocol.ts'
import { json, readBody } from './answers.ts'
import { createHosts } from './hosts.ts'
import { createOodRequests } from './ood-requests.ts'
import { hostsPath, joinTokensPath, oodRequestsPath } from './protocol.ts'
import type { Registrations } from './registrations.ts'
import type { ZoneTrust } from './trust.ts'

const Short = pipe(string(), maxLength(limits.joinTokenCharacters))
export const TokenRequest = object({
  host: Short, role: Short, owner: optional(Short), cidr: optional(Short),
  ttlSeconds: optional(pipe(number(), integer())),
})

/** What goes into the files of `gen join-token`. */
export const TokenMade = object({
  token: string(), record: JoinToken, zone: string(),
  /** Where hosts reach the control plane. */
  server: string(),
  /** PEM. */
  roots: array(string()),
  /** The keys that may sign the next set of roots, and the least version of one that is newer than `roots`. */
  anchors: array(PublicKey), rootsVersion: pipe(number(), integer()),
  /** The owner key of the zone. */
  owner: PublicKey,
})

const TOKENS = 'join://tokens'
const HOSTS = 'join://hosts'

type Ports = Pick<ActorStart, 'self' | 'step'> & {
  readonly vault: Pick<
    Client<typeof Vault>, 'createJoinToken' | 'listJoinTokens' | 'revokeJoinToken' | 'keyVersions' | 'roots'
    | 'joinedHosts' | 'joinedHost' | 'revokeHost' | 'oodRequests' | 'approveOod' | 'refuseOod'
  >
  readonly enforcer: Enforcer
  readonly trust: ZoneTrust
  readonly server: string
  readonly registrations: Pick<Registrations, 'owner' | 'registrar' | 'demandFree' | 'demandOod' | 'settle'>
  /** Whether the stores are where several OODs can share them. */
  readonly mayHaveOods: boolean
  readonly late: () => void
}

/** The Unix socket: for this machine and this user, and still by a session that may. */
export function createControl(
  { self, step, vault, enforcer, trust, server, registrations, late, mayHaveOods }: Ports,
) {
  /** @throws Denied */
  const demand = async (
    { headers }: HttpRequest, operation: Operation, resource = TOKENS,
  ): Promise<string> => {
    const [, token] = /^Bearer (\S+)$/.exec(headers['authorization'] ?? '') ?? []
    // No link: a token that is bound to a link key is nobody's here
    const peer = { ...self, kid: '', actor: 'console' }
    if (token === undefined) throw new InvalidArgument('The request has no session: authorization: Bearer …')
    const principal = await enforcer.authenticate(token, peer, { method: 'enrolment', link: '' })
    enforcer.demand({ principal, token, peer }, operation, resource)
    return principal.sub
  }
  /** Where the zone has no anchor, its roots are all there is to go by. */
  const anchored = async (): Promise<{ anchors: Public[]; rootsVersion: number }> => {
    try {
      const [versions, { version }] = await Promise.all([vault.keyVersions({ name: 'anchor' }), vault.roots({})])
      return { anchors: versions.slice(-2).map(({ publicKey }) => publicKey), rootsVersion: version }
    } catch (error) {
      if (error instanceof NotFound) return { anchors: [], rootsVersion: 0 }
      throw error
    }
  }
  const create = async (request: HttpRequest): Promise<HttpResponse> => {
    const by = await demand(request, 'write')
    const asked = readBody(TokenRequest, request.body)
    if (asked.role === 'ood') {
      if (!mayHaveOods) {
        throw new InvalidArgument('Several OODs share their stores, which have to be in etcd; those here are not', {
          next: 'Move them there: migrate, with xline_config and tls_config.enable in its config; start it again',
        })
      }
      await registrations.demandOod(asked.host)
    } else await registrations.demandFree(asked.host)
    step(JOIN_SEQUENCE, joinStep.tokenAsked, { host: asked.host, role: asked.role, by })
    const { token, record } = await vault.createJoinToken({ ...asked, by })
    step(JOIN_SEQUENCE, joinStep.tokenReceived, { host: record.host, jti: record.id, expiresAt: record.expiresAt })
    await trust.refresh()
    const { roots } = trust
    step(JOIN_SEQUENCE, joinStep.rootsRead, { host: record.host, jti: record.id, roots: roots.length })
    return json(201, {
      token, record, zone: self.zone, server, roots, owner: registrations.owner, ...await anchored(),
    })
  }

  const hosts = createHosts({
    vault, registrations, trust, late, demand: (request, operation) => demand(request, operation, HOSTS),
  })
  const oodRequests = createOodRequests({
    vault, owner: registrations.registrar.owner, demand: (request, operation) => demand(request, operation, HOSTS),
  })

  return async (request: HttpRequest): Promise<HttpResponse> => {
    const { method, path } = request
    if (path === oodRequestsPath || path.startsWith(`${oodRequestsPath}/`)) return oodRequests(request)
    if (path === hostsPath || path.startsWith(`${hostsPath}/`)) return hosts(request)
    if (path === joinTokensPath && method === 'POST') return create(request)
    if (path === joinTokensPath && method === 'GET') {
      await demand(request, 'read')
      return json(200, await vault.listJoinTokens({}))
    }
    if (path.startsWith(`${joinTokensPath}/`) && method === 'DELETE') {
      await demand(request, 'write')
      return json(200, await vault.revokeJoinToken({ id: path.slice(joinTokensPath.length + 1) }))
    }
    throw new NotFound('There is nothing at this path')
  }
}

type Public = Awaited<ReturnType<Ports['vault']['keyVersions']>>[number]['publicKey']
