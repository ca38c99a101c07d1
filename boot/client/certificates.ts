import { array, boolean, looseObject, nullable, number, optional, picklist, record, string } from 'valibot'
import type { Infer } from '../../runtime/protocol.ts'
import { LimitExceeded } from '../../runtime/errors.ts'
import { ActorState } from '../../runtime/supervision.ts'
import { limits } from '../../runtime/limits.ts'
import { shapeOf } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

/** Certificates and authorities of a zone, as its certificate manager tells of them. Times are epoch milliseconds. */

const Urgency = picklist(['good', 'due', 'urgent', 'ended'])
const Entry = looseObject({
  mount: string(), serial: string(), role: string(), subject: string(), names: array(string()), authority: string(),
  holder: string(), notBefore: number(), notAfter: number(), revokedAt: nullable(number()),
  state: picklist(['valid', 'revoked', 'ended']), urgency: nullable(Urgency),
})
export type CertificateEntry = Infer<typeof Entry>
const WithPem = looseObject({ ...Entry.entries, pem: string() })
const Page = looseObject({ certificates: array(Entry), next: nullable(string()) })

const Authority = looseObject({
  mount: string(), id: string(), kind: picklist(['root', 'intermediate']),
  state: picklist(['next', 'active', 'tainted', 'revoked']), subject: string(), serial: string(),
  notBefore: number(), notAfter: number(), pem: string(), signedBy: string(),
  since: optional(nullable(number())), urgency: optional(Urgency),
})
export type AuthorityEntry = Infer<typeof Authority>
const Next = looseObject({
  mount: string(), step: picklist(['prepare', 'activate', 'taint', 'revoke']), id: string(), at: number(),
})
const Authorities = looseObject({ authorities: array(Authority), next: array(Next), failure: string() })
export type Authorities = Infer<typeof Authorities>
const Stepped = looseObject({ authorities: array(Authority) })

const Summary = looseObject({
  at: number(), failure: string(), counts: record(string(), looseObject({ valid: number(), revoked: number() })),
  expiring: array(Entry), next: array(Next),
  authorities: array(looseObject({
    mount: string(), id: string(), kind: string(), notAfter: number(), urgency: Urgency,
  })),
})
export type CertificateSummary = Infer<typeof Summary>
export type Step = Infer<typeof Next>['step']
export const isGood = ({ urgency }: { readonly urgency: string }): boolean => urgency === 'good'

const call = (client: ZoneClient, method: string, params: object, token?: string): Promise<unknown> =>
  client.call('cert-manager', method, params, token === undefined ? {} : { token })

/** All of them, page by page. @throws LimitExceeded */
export async function listCertificates(client: ZoneClient, mount: string | undefined): Promise<CertificateEntry[]> {
  const found: CertificateEntry[] = []
  for (let after: string | null = null; ;) {
    const params = { ...(mount === undefined ? {} : { mount }), ...(after === null ? {} : { after }) }
    const page: Infer<typeof Page> = shapeOf(Page, await call(client, 'certificates', params), 'a page of certificates')
    found.push(...page.certificates)
    after = page.next
    if (after === null) return found
    if (found.length > limits.clientCertificates) {
      throw new LimitExceeded(`There are more certificates than are listed: ${limits.clientCertificates}`)
    }
  }
}

export const readCertificate = async (client: ZoneClient, serial: string): Promise<Infer<typeof WithPem>> =>
  shapeOf(WithPem, await call(client, 'certificate', { serial }), 'a certificate')

export async function revokeCertificate(
  client: ZoneClient, params: { serial: string; reason?: string }, token: string | undefined,
): Promise<{ readonly mount: string; readonly serial: string; readonly revokedAt: number }> {
  const Revoked = looseObject({ mount: string(), serial: string(), revokedAt: number() })
  return shapeOf(Revoked, await call(client, 'revoke', params, token), 'a revocation')
}

export const readAuthorities = async (client: ZoneClient): Promise<Authorities> =>
  shapeOf(Authorities, await call(client, 'authorities', {}), 'which authorities there are')

export const stepAuthority = async (
  client: ZoneClient, params: { mount: string; step: Step; id?: string }, token: string | undefined,
): Promise<readonly AuthorityEntry[]> =>
  shapeOf(Stepped, await call(client, 'step_authority', params, token), 'a step of an authority').authorities

export const certificateSummary = async (client: ZoneClient): Promise<CertificateSummary> =>
  shapeOf(Summary, await call(client, 'summary', {}), 'how the certificates are')

const Node = looseObject({
  name: string(), role: picklist(['ood', 'node']), state: picklist(['unknown', 'up', 'suspect', 'down']),
  since: number(), lastSeen: nullable(number()), silentMs: optional(nullable(number())),
  info: nullable(looseObject({
    addresses: array(string()), runtime: string(), processors: number(), load: number(), memoryBytes: number(),
    memoryFreeBytes: number(), diskBytes: number(), diskFreeBytes: number(),
    labels: optional(record(string(), string())), actors: optional(array(ActorState)),
    capacity: optional(looseObject({ memoryBytes: optional(number()), processors: optional(number()) })),
  })),
})
export type NodeEntry = Infer<typeof Node>
const Nodes = looseObject({ nodes: array(Node), watching: optional(boolean()) })

export const readNodes = async (client: ZoneClient): Promise<readonly NodeEntry[]> =>
  shapeOf(Nodes, await client.call('node-monitor', 'nodes', {}), 'which hosts are up').nodes
export const readNode = (value: unknown): NodeEntry => shapeOf(Node, value, 'how a host is')
