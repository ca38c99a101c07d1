import { limits } from '../runtime/limits.ts'
import { array, maxLength, minLength, object, pipe, regex, string, type Infer } from '../runtime/protocol.ts'
import type { Certificate } from '../runtime/x509/certificate.ts'
import { isName } from './records.ts'

/** Whom a certificate of the zone names: `spiffe://{zone}/{ood|node}/{host}`, and nobody beside. */
export interface HostNamed {
  readonly name: string
  readonly role: 'ood' | 'node'
}

const IDENTITY = /^spiffe:\/\/([^/]+)\/(ood|node)\/([^/]+)$/

export function hostNamed({ extensions }: Certificate, zone: string): HostNamed | undefined {
  const uris = (extensions.names ?? []).filter(({ type }) => type === 'uri')
  const [, of, role, name = ''] = (uris.length === 1 && IDENTITY.exec(uris[0]!.value)) || []
  return of === zone && isName(name) ? { name, role: role as HostNamed['role'] } : undefined
}

const pems = pipe(array(string()), maxLength(limits.toldCertificates))

/** What the control plane tells its nodes of revocations, as JSON: each authority is below a root, each list is its. */
export const RevocationDocument = object({ authorities: pems, lists: pems })
export type RevocationDocument = Infer<typeof RevocationDocument>

/** HOST:PORT, the host an address of IPv6 in brackets. */
export const SERVER = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+):(\d{1,5})$/

export interface Server {
  readonly hostname: string
  readonly port: number
}

/** Of a text that `SERVER` fits. */
export function serverOf(text: string): Server {
  const cut = text.lastIndexOf(':')
  return { hostname: text.slice(0, cut).replace(/^\[|\]$/g, ''), port: Number(text.slice(cut + 1)) }
}

const text = pipe(string(), maxLength(limits.document))
/** Where one host of the control plane is reached. */
export const Servers = pipe(array(pipe(string(), maxLength(280), regex(SERVER))), maxLength(limits.oodServers))

/**
 * What the control plane tells its nodes of its own hosts, as JSON: each by the document that the owner signed. The
 * addresses are nobody's word: who answers there has to show a certificate.
 */
export const HostsDocument = object({
  zoneDocument: text,
  oods: pipe(
    array(object({ document: text, servers: Servers })), minLength(1), maxLength(limits.uplinkServers),
  ),
})
export type HostsDocument = Infer<typeof HostsDocument>
