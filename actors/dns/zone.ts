import type { Infer } from '../../runtime/protocol.ts'
import { DeviceInfo, readRecord, ServiceSpec } from '../records.ts'
import type { Host } from './names.ts'

/** What of `kv://` the names come from; by prefix, the last segments of the keys. */
export const followed = [
  { prefix: 'devices/', leaves: ['doc', 'info'] }, { prefix: 'services/', leaves: ['info', 'spec'] },
] as const

const ServiceInfo = /^services\/([^/]+)\/spec$/
const Device = /^devices\/([^/]+)\/(doc|info)$/

export interface ZoneRecords {
  /** In order of name; one that has told no address is there with none. */
  readonly hosts: readonly Host[]
  /** Services of users and of the zone that answer HTTP, in order of name. */
  readonly apps: readonly string[]
  /** Hosts of the gateway. */
  readonly gateways: readonly string[]
}

/** A record that cannot be read gives no name, and concerns no other. */
export function zoneRecords(config: ReadonlyMap<string, string>, onInvalid: (error: Error) => void): ZoneRecords {
  const read = <T>(parse: () => T): T | undefined => {
    try {
      return parse()
    } catch (error) {
      onInvalid(error as Error)
      return undefined
    }
  }
  const addresses = new Map<string, readonly string[]>()
  const apps: string[] = []
  for (const [key, value] of config) {
    const [, device, leaf] = Device.exec(key) ?? []
    if (device !== undefined && leaf === 'doc') addresses.set(device, addresses.get(device) ?? [])
    const service = ServiceInfo.exec(key)?.[1]
    if (service === undefined) continue
    const spec = read(() => readRecord(ServiceSpec, key, value))
    if (spec?.http && !spec.kernel && spec.appid === service) apps.push(service)
  }
  for (const [key, value] of config) {
    const [, device, leaf] = Device.exec(key) ?? []
    // Who is not registered is no host, whatever it tells of itself
    if (device === undefined || leaf !== 'info' || !addresses.has(device)) continue
    const info = read(() => readRecord(DeviceInfo, key, value))
    if (info?.name === device) addresses.set(device, info.addresses.filter(isAddress))
  }
  const placed = config.get('services/gateway/info')
  const gateway = placed === undefined ? undefined : read(() => JSON.parse(placed) as { hosts?: unknown })
  const hosts = Array.isArray(gateway?.hosts) ? gateway.hosts.filter((host) => typeof host === 'string') : []
  return {
    hosts: [...addresses].map(([name, list]) => ({ name, addresses: list })).sort(byName),
    apps: apps.sort(), gateways: hosts.sort(),
  }
}

const byName = (a: Host, b: Host): number => (a.name < b.name ? -1 : 1)

const V4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/
const V6 = /^(?=.*:.*:)(?!.*::.*::)(?!.*:::)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}$/

/** Of an IPv4 or IPv6 address in its usual form. */
export const isAddress = (text: string): boolean => V4.test(text) || (V6.test(text) && (text.includes('::')
  ? text.split(':').filter((group) => group !== '').length < 8 : text.split(':').every((group) => group !== '')
    && text.split(':').length === 8))

/** What the gateway of this host listens at, as the address that others may be told; undefined: at any of this host. */
export function addressOf(hostname: string): readonly string[] | undefined {
  if (hostname === 'localhost') return ['127.0.0.1']
  if (hostname === '0.0.0.0' || hostname === '::' || !isAddress(hostname)) return undefined
  return [hostname]
}

export type DeviceInfoRecord = Infer<typeof DeviceInfo>
