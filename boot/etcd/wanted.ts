import type { ZoneConfig } from '../config.ts'
import type { Wanted } from './certificates.ts'
import { endpointOf, etcdServerName, memberIdentities, memberNames, pems, type Endpoint } from './names.ts'

/** A certificate, and for whom. */
export interface WantedFile extends Wanted {
  readonly what: string
  /** The member of etcd that it is to be copied to. */
  readonly member?: Endpoint
}

/** All certificates of a zone on etcd: of this host first, its own and by which etcd knows it, then of each member. */
export function wantedCertificates({ zone, host, addr, etcd }: ZoneConfig): readonly WantedFile[] {
  const own = addr === undefined ? undefined : endpointOf(`https://${addr}`)
  const ip = own?.isAddress && !own.host.startsWith('0.') ? [own.host, '127.0.0.1'] : ['127.0.0.1']
  return [
    {
      what: `this host, ${host}, to who connects`, names: pems.server, mount: 'pki', role: 'ood', purpose: 'serverAuth',
      handedOut: false, commonName: host, dns: [host, `${host}.${zone}`, 'localhost'], ip: [...new Set(ip)],
    },
    {
      what: `this host, ${host}, to etcd`, names: pems.etcdClient, mount: 'pki-etcd', role: 'client',
      purpose: 'clientAuth', handedOut: false, commonName: host, dns: [], ip: [],
    },
    ...(etcd?.endpoints ?? []).map((url): WantedFile => {
      const member = endpointOf(url)
      return {
        what: `etcd at ${url}`, member, names: memberNames(member), mount: 'pki-etcd', role: 'member',
        purpose: 'serverAuth', handedOut: true, commonName: member.isAddress ? etcdServerName(zone) : member.host,
        ...memberIdentities(member, zone),
      }
    }),
  ]
}
