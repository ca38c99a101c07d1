import {
  array, boolean, integer, maxLength, maxValue, minLength, minValue, number, object, optional, pipe, regex, string,
  unknown, type Infer,
} from '../runtime/protocol.ts'
import { serverOf } from '../actors/host-identity.ts'
import { isMappedIpv4, parseIp } from '../runtime/x509/ip.ts'
import type { Expected } from './config-faults.ts'

/**
 * The keys of rk8s's `config.yaml`, which stand beside ours in one file (reference: rk8s, `protocol/config.rs`). What
 * nothing here uses is accepted and told, so that such a file works as it is.
 */

const HOST = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]{2,45}\\])'
const PORT = '[1-9][0-9]{0,4}'
const ENDPOINT = new RegExp(`^https?://${HOST}:${PORT}$`)
const ADDRESS = new RegExp(`^${HOST}:${PORT}$`)
/** Segments without an empty one: what is below it never begins as what is beside it. */
const PREFIX = /^\/[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/
export const ENDPOINTS_MAX = 32

const port = pipe(number(), integer(), minValue(1), maxValue(65_535))
const bits = pipe(number(), integer(), minValue(0), maxValue(128))

export const rk8sKeys = {
  /** Where hosts reach the control plane: its server certificate names it. */
  addr: optional(pipe(string(), regex(ADDRESS))),
  xline_config: optional(object({
    endpoints: pipe(array(pipe(string(), regex(ENDPOINT))), minLength(1), maxLength(ENDPOINTS_MAX)),
    prefix: optional(pipe(string(), maxLength(512), regex(PREFIX))),
    username: optional(string()), password: optional(string()), subnet_lease_renew_margin: optional(number()),
  })),
  tls_config: optional(object({
    /** The stores lie in etcd, which is reached with certificates of the zone's own. */
    enable: optional(boolean()),
    /** The zone's folder. */
    vault_folder: optional(pipe(string(), minLength(1))),
    /** False: what is no longer needed on this disk goes once the stores have been moved and verified. */
    keep_dangerous_files: optional(boolean()),
  })),
  network_config: optional(object({
    Network: optional(string()), SubnetMin: optional(string()), SubnetMax: optional(string()),
    SubnetLen: optional(bits), ServiceCIDR: optional(string()), ServiceSubnetLen: optional(bits),
    EnableIPv4: optional(boolean()), EnableIPv6: optional(boolean()), IPv6Network: optional(string()),
    IPv6SubnetMin: optional(string()), IPv6SubnetMax: optional(string()), IPv6SubnetLen: optional(bits),
    Backend: optional(unknown()),
  })),
  dns_config: optional(object({ Port: port })),
} as const

/** Every address of this host, as one listens on them, and none that another host could connect to. */
export function isEvery(hostname: string): boolean {
  const bytes = parseIp(hostname)
  return bytes !== undefined && (isMappedIpv4(bytes) ? bytes.slice(12) : bytes).every((byte) => byte === 0)
}

const Rk8sFile = object(rk8sKeys)
type Rk8sFile = Infer<typeof Rk8sFile>

const endpoint = 'an address such as https://etcd1.example:2379'
const portNumber = 'a whole number from 1 to 65535'
const length = 'a whole number from 0 to 128'
const text = 'text'
const yesOrNo = 'true or false'

export const rk8sExpected: Expected = {
  addr: 'an address and a port, such as 192.168.1.10:50051',
  xline_config: 'a mapping of endpoints and prefix',
  'xline_config.endpoints': `a list of 1 to ${ENDPOINTS_MAX} addresses such as https://etcd1.example:2379`,
  'xline_config.endpoints.*': endpoint,
  'xline_config.prefix': 'a path such as /zones/home, of letters, digits, dot, underscore and hyphen',
  'xline_config.username': text, 'xline_config.password': text,
  'xline_config.subnet_lease_renew_margin': 'a number',
  tls_config: 'a mapping of enable, vault_folder and keep_dangerous_files',
  'tls_config.enable': yesOrNo, 'tls_config.vault_folder': 'a path', 'tls_config.keep_dangerous_files': yesOrNo,
  network_config: 'a mapping of Network, SubnetMin, SubnetMax, SubnetLen and others that rk8s has',
  'network_config.Network': text, 'network_config.SubnetMin': text, 'network_config.SubnetMax': text,
  'network_config.SubnetLen': length, 'network_config.ServiceCIDR': text, 'network_config.ServiceSubnetLen': length,
  'network_config.EnableIPv4': yesOrNo, 'network_config.EnableIPv6': yesOrNo, 'network_config.IPv6Network': text,
  'network_config.IPv6SubnetMin': text, 'network_config.IPv6SubnetMax': text, 'network_config.IPv6SubnetLen': length,
  dns_config: 'a mapping of Port', 'dns_config.Port': portNumber,
}

/** What the file says of etcd, of the certificates for it, and of the zone's DNS. */
export interface Rk8sConfig {
  readonly addr: string | undefined
  readonly etcd: { readonly endpoints: readonly string[]; readonly prefix: string } | undefined
  readonly tls: {
    readonly enable: boolean
    /** The zone's folder, when the command line names no other. */
    readonly vaultFolder: string | undefined
    readonly keepDangerousFiles: boolean
  }
  readonly dns: { readonly port: number } | undefined
}

export const defaultRk8sConfig: Rk8sConfig = {
  addr: undefined, etcd: undefined,
  tls: { enable: false, vaultFolder: undefined, keepDangerousFiles: false }, dns: undefined,
}

/** Below it lies `{zone}/{actor}`. */
const defaultPrefix = '/zonewright'

export function rk8sConfigOf({ addr, xline_config: etcd, tls_config: tls, dns_config: dns }: Rk8sFile): Rk8sConfig {
  return {
    addr,
    etcd: etcd && { endpoints: etcd.endpoints, prefix: etcd.prefix ?? defaultPrefix },
    tls: {
      enable: tls?.enable ?? false, vaultFolder: tls?.vault_folder,
      keepDangerousFiles: tls?.keep_dangerous_files ?? false,
    },
    dns: dns && { port: dns.Port },
  }
}

/** Keys that the file gives and nothing here uses. */
export function unusedOf({ xline_config: etcd, network_config: network }: Rk8sFile): readonly string[] {
  const unused = (['username', 'password', 'subnet_lease_renew_margin'] as const)
    .filter((name) => etcd?.[name] !== undefined).map((name) => `xline_config.${name}`)
  return [...unused, ...(network === undefined ? [] : ['network_config'])]
}

/** What no schema says, as the key that is wrong and what. */
export function rk8sFault(
  { addr, xline_config: etcd, tls_config: tls }: Rk8sFile,
): { readonly keys: readonly string[]; readonly what: string; readonly next: string } | undefined {
  const endpoints = etcd?.endpoints ?? []
  const fault = (index: number, what: string, next: string) =>
    ({ keys: ['xline_config', 'endpoints', String(index)], what: `xline_config.endpoints.${index}: ${what}`, next })
  const twice = endpoints.findIndex((each, index) => endpoints.indexOf(each) !== index)
  if (twice >= 0) return fault(twice, `it is there twice: ${endpoints[twice]}`, 'Name each member once')
  const tooHigh = endpoints.findIndex((each) => Number(/\d+$/.exec(each)?.[0]) > 65_535)
  if (tooHigh >= 0) {
    return fault(tooHigh, `expected ${endpoint}, found ${endpoints[tooHigh]}`, 'A port is at most 65535')
  }
  if (!tls?.enable) return undefined
  const plain = endpoints.findIndex((each) => !each.startsWith('https://'))
  if (plain >= 0) {
    return fault(plain, `with tls_config.enable it has to be https://, found ${endpoints[plain]}`, 'Write https://')
  }
  if (addr !== undefined && isEvery(serverOf(addr).hostname)) {
    return {
      keys: ['addr'], what: `addr: no other host can connect to ${addr}, and it is told to all of them`,
      next: 'Write the name or address by which other hosts reach this one, such as 192.168.1.10:50051',
    }
  }
  return undefined
}
