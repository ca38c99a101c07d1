import type { DnsRecord } from './codec.ts'

/** Seconds for which others may remember an answer, and that a name is not there. */
export const TTL_SECONDS = 30

export interface Host {
  readonly name: string
  readonly addresses: readonly string[]
}

/** What the names of a zone are made from. */
export interface NamesInput {
  readonly zone: string
  /** Revision of what it was read from: with it grows the serial number. */
  readonly revision: number
  readonly hosts: readonly Host[]
  /** Of its gateways, where people reach it. */
  readonly gateways: readonly string[]
  /** Of the gateway of this host; undefined where it has none. */
  readonly gatewayPort: number | undefined
  /** Services that answer HTTP, which the gateway hands on. */
  readonly apps: readonly string[]
  /** The host that answers. */
  readonly server: string
}

export interface Names {
  readonly zone: string
  readonly soa: DnsRecord
  /** Undefined where there is no such name; empty where only longer ones are. */
  find(name: string): readonly DnsRecord[] | undefined
}

/**
 * `{zone}` and `{app}.{zone}` are the gateway's, `{host}.nodes.{zone}` is a host's, and so is `{host}.{zone}` where no
 * app has that name. `_{app}._tcp.{zone}` says at which port the gateway hands on to it.
 */
export function namesOf(input: NamesInput): Names {
  const { zone, revision, hosts, gateways, gatewayPort, apps, server } = input
  const table = new Map<string, DnsRecord[]>()
  const add = (...records: readonly DnsRecord[]): void => {
    for (const record of records) {
      const found = table.get(record.name)
      if (found) found.push(record)
      else table.set(record.name, [record])
    }
  }
  const nameserver = `${server}.nodes.${zone}`
  const soa: DnsRecord = {
    type: 'SOA', name: zone, ttl: TTL_SECONDS,
    data: {
      mname: nameserver, rname: `hostmaster.${zone}`, serial: revision >>> 0, refresh: 3_600, retry: 600,
      expire: 86_400, minimum: TTL_SECONDS,
    },
  }
  add(soa, { type: 'NS', name: zone, ttl: TTL_SECONDS, data: nameserver })
  add(...gateways.map((address) => addressRecord(zone, address)))
  for (const app of apps) {
    const name = `${app}.${zone}`
    add(...gateways.map((address) => addressRecord(name, address)))
    if (gatewayPort !== undefined) add(serviceRecord(`_${app}._tcp.${zone}`, name, gatewayPort))
  }
  if (gatewayPort !== undefined) add(serviceRecord(`_http._tcp.${zone}`, zone, gatewayPort))
  for (const { name, addresses } of hosts) {
    const own = [`${name}.nodes.${zone}`, ...(apps.includes(name) ? [] : [`${name}.${zone}`])]
    for (const of of own) add(...addresses.map((address) => addressRecord(of, address)))
  }
  // A name that has longer ones below it is there, with nothing (RFC 8020)
  for (const name of [...table.keys()]) {
    for (let parent = above(name); parent.length > zone.length; parent = above(parent)) {
      if (!table.has(parent)) table.set(parent, [])
    }
  }
  return { zone, soa, find: (name) => table.get(name) }
}

const above = (name: string): string => name.slice(name.indexOf('.') + 1)

const addressRecord = (name: string, address: string): DnsRecord =>
  ({ type: address.includes(':') ? 'AAAA' : 'A', name, ttl: TTL_SECONDS, data: address })

const serviceRecord = (name: string, target: string, port: number): DnsRecord =>
  ({ type: 'SRV', name, ttl: TTL_SECONDS, data: { priority: 0, weight: 0, port, target } })
