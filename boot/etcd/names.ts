/** Names of what `gen pems` writes, in the zone's folder. */

/** A key, and the certificate that is for it alone. */
export interface PairNames {
  readonly certificate: string
  readonly key: string
}

const folder = 'pems'

export const pems = {
  folder,
  /** Roots that certificates of the zone end at. */
  root: `${folder}/root.pem`,
  /** Roots that certificates of its etcd end at. */
  etcdAuthority: `${folder}/etcd-ca.pem`,
  /** The CA of etcd, sealed: the unseal key or the recovery shares open it where etcd cannot be reached. */
  etcdSealed: `${folder}/etcd-ca.sealed`,
  /** Of this host, for who connects to it. */
  server: { certificate: `${folder}/server.pem`, key: `${folder}/server.key` },
  /** By which this host is known to etcd. */
  etcdClient: { certificate: `${folder}/etcd-client.pem`, key: `${folder}/etcd-client.key` },
  /** The public part of the vault's key `anchor`, signed by the owner key. */
  anchor: `${folder}/anchor.doc`,
  /** What was signed without the vault: it takes these certificates into its inventory at its next start. */
  unrecorded: `${folder}/unrecorded.json`,
} as const

/** Steps of the initialisation that were marked, by whichever command. */
export const INITIALISATION = 'initialisation.json'

export interface Endpoint {
  /** As the config says it. */
  readonly url: string
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly isAddress: boolean
}

const isIpAddress = (host: string): boolean => /^\d+(?:\.\d+){3}$/.test(host) || host.includes(':')

export function endpointOf(url: string): Endpoint {
  const [, name = '', port = ''] = /^https?:\/\/(.*):(\d+)$/.exec(url) ?? []
  const host = name.replace(/^\[|\]$/g, '')
  return { url, host, port: Number(port), isAddress: isIpAddress(host) }
}

/** Files for one member of etcd: to be copied to it. */
export function memberNames({ host, port }: Endpoint): PairNames & { folder: string; authority: string } {
  const of = `${folder}/etcd-${host.replaceAll(':', '_')}-${port}`
  return { folder: of, certificate: `${of}/cert.pem`, key: `${of}/private.key`, authority: `${of}/ca.pem` }
}

/**
 * The name that every member's certificate carries beside its own. Clients ask for it where an endpoint is an IP
 * address: TLS on some runtimes refuses an address as a server's name.
 */
export const etcdServerName = (zone: string): string => `etcd.${zone}`

/** What a member is known by: its own name first, since etcd looks the names up in order to check its peers. */
export function memberIdentities(endpoint: Endpoint, zone: string): { dns: readonly string[]; ip: readonly string[] } {
  const { host, isAddress } = endpoint
  const dns = isAddress ? ['localhost', etcdServerName(zone)] : [host, 'localhost', etcdServerName(zone)]
  const ip = isAddress ? [host, '127.0.0.1'] : ['127.0.0.1']
  return { dns: [...new Set(dns)], ip: [...new Set(ip)] }
}
