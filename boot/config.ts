import { safeParse } from 'valibot'
import { parseDocument } from 'yaml'
import { Labels, Name, Resources } from '../actors/records.ts'
import { isReserved } from '../actors/trust-matrix.ts'
import {
  array, integer, maxValue, minValue, number, object, optional, pipe, regex, string, type Infer,
} from '../runtime/protocol.ts'
import { limits } from '../runtime/limits.ts'
import { ConfigText, type Expected } from './config-faults.ts'
import {
  defaultRk8sConfig, rk8sConfigOf, rk8sExpected, rk8sFault, rk8sKeys, unusedOf, type Rk8sConfig,
} from './config-rk8s.ts'

/** Scheme, host in lower case and a port that is not the usual one; nothing behind it. */
const ORIGIN = /^(?:https:\/\/(?!.*:443$)|http:\/\/(?!.*:80$))[a-z0-9](?:[a-z0-9.-]{0,252})(?::[1-9][0-9]{0,4})?$/

const hostname = pipe(string(), regex(/^[0-9A-Za-z.:-]{1,253}$/))
const port = pipe(number(), integer(), minValue(0), maxValue(65_535))

/** What `zone.yaml` may say. Everything has a default, so that no file is needed. */
const ZoneFile = object({
  /** DNS-like name of the zone. */
  zone: optional(pipe(string(), regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/))),
  /** Name of this host. */
  host: optional(Name),
  /** The owner as a person. */
  owner: optional(Name),
  http: optional(object({
    hostname: optional(hostname),
    /** 0 takes a free one. */
    port: optional(port),
    /** Where people reach it by a proxy: `https://zone.example`. */
    origins: optional(array(pipe(string(), regex(ORIGIN)))),
  })),
  /** Hosts beside the first one that this process runs: a cluster on one host. */
  nodes: optional(pipe(number(), integer(), minValue(0), maxValue(1_000))),
  processes: optional(object({
    /** Programs that services may run here: absolute paths; `/opt/zone/*` is all below a folder. Default: none. */
    allow: optional(array(pipe(string(), regex(/^\/[^\0]*$/)))),
  })),
  join: optional(object({
    /** A program that is asked about each host that wants to join: an absolute path. Default: none. */
    hook: optional(pipe(string(), regex(/^\/[^\0]*$/))),
  })),
  /** What tells this host apart, for services that ask for it: `disk: ssd`. */
  labels: optional(Labels),
  /** What services may take of this host together; without it, all that the machine has. */
  capacity: optional(Resources),
  telemetry: optional(object({
    /** OpenTelemetry collector that takes traces by OTLP over HTTP: `http://127.0.0.1:4318`. Default: none. */
    otlp: optional(pipe(string(), regex(/^https?:\/\/[^\s]+$/))),
  })),
  /** The vault's own HTTP listener, for clients of HashiCorp Vault's API. Default: none. */
  vault: optional(object({
    hostname: optional(hostname),
    port: optional(port),
  })),
  ...rk8sKeys,
})

const expected: Expected = {
  '': 'a mapping of zone, host, owner, http, nodes, processes, labels, capacity, join, telemetry, vault and rk8s keys',
  zone: 'a DNS name in lower case',
  host: 'a name of lower-case letters, digits and -',
  owner: 'a name of lower-case letters, digits and -',
  http: 'a mapping of hostname, port and origins',
  'http.hostname': 'a host name or an IP address',
  'http.port': 'a whole number from 0 to 65535',
  'http.origins': 'a list of addresses such as https://zone.example',
  'http.origins.*': 'an address such as https://zone.example',
  nodes: 'a whole number from 0 to 1000',
  processes: 'a mapping of allow',
  'processes.allow': 'a list of absolute paths',
  join: 'a mapping of hook',
  'join.hook': 'an absolute path',
  labels: `a mapping of at most ${limits.labels} names to text, such as disk: ssd`,
  'labels.*': 'text of letters, digits, ., _ and -',
  capacity: 'a mapping of memoryBytes and processors',
  'capacity.memoryBytes': 'a whole number of bytes',
  'capacity.processors': 'hundredths of a processor, such as 150',
  telemetry: 'a mapping of otlp',
  'telemetry.otlp': 'a URL of http or https',
  vault: 'a mapping of hostname and port',
  'vault.hostname': 'a host name or an IP address',
  'vault.port': 'a whole number from 0 to 65535',
  ...rk8sExpected,
}

export interface ZoneConfig extends Rk8sConfig {
  readonly zone: string
  readonly host: string
  readonly owner: string
  readonly http: { readonly hostname: string; readonly port: number; readonly origins: readonly string[] }
  readonly nodes: number
  readonly processes: { readonly allow: readonly string[] }
  readonly join: { readonly hook: string | undefined }
  readonly labels: Labels
  readonly capacity: Resources
  readonly telemetry: { readonly otlp: string | undefined }
  readonly vault: { readonly hostname: string; readonly port: number } | undefined
}

export const defaultConfig: ZoneConfig = {
  zone: 'zone.local', host: 'ood1', owner: 'owner', http: { hostname: '127.0.0.1', port: 0, origins: [] },
  nodes: 0, processes: { allow: [] }, labels: {}, capacity: {}, join: { hook: undefined },
  telemetry: { otlp: undefined }, vault: undefined, ...defaultRk8sConfig,
}

/** The names that the file gave; a folder that exists may not contradict them. */
export interface ReadConfig {
  readonly config: ZoneConfig
  readonly stated: ReadonlySet<string>
  /** Keys of rk8s that the file gives and nothing here uses. */
  readonly unused: readonly string[]
}

const keysHint =
  'Keys are zone, host, owner, http.hostname, http.port, http.origins, nodes, processes.allow, labels, capacity, '
  + 'join.hook, telemetry.otlp, vault.hostname, vault.port, and those of rk8s: addr, xline_config, tls_config, '
  + 'network_config, dns_config'

/** @throws ConfigInvalid: `FILE:LINE: what` */
export function readConfig(text: string | undefined, path: string): ReadConfig {
  if (text === undefined) return { config: defaultConfig, stated: new Set(), unused: [] }
  const read = new ConfigText(text, path)
  const result = safeParse(ZoneFile, read.value())
  if (!result.success) {
    // A list has a `join` of its own: that it is a list is said last
    const [issue] = Array.isArray(read.value()) ? result.issues.slice(-1) : result.issues
    throw read.refused(issue!, expected, keysHint)
  }
  const file: Infer<typeof ZoneFile> = result.output
  const { zone, host, owner, http } = defaultConfig
  const config: ZoneConfig = {
    zone: file.zone ?? zone, host: file.host ?? host, owner: file.owner ?? owner,
    http: {
      hostname: file.http?.hostname ?? http.hostname, port: file.http?.port ?? http.port,
      origins: file.http?.origins ?? http.origins,
    },
    nodes: file.nodes ?? defaultConfig.nodes,
    processes: { allow: file.processes?.allow ?? [] },
    join: { hook: file.join?.hook },
    labels: file.labels ?? {}, capacity: file.capacity ?? {},
    telemetry: { otlp: file.telemetry?.otlp },
    vault: file.vault && { hostname: file.vault.hostname ?? '127.0.0.1', port: file.vault.port ?? 0 },
    ...rk8sConfigOf(file),
  }
  const names = namesFault(config)
  if (names) throw read.invalid([names.key], names.what, 'Choose another name')
  const fault = rk8sFault(file)
  if (fault) throw read.invalid(fault.keys, fault.what, fault.next)
  return { config, stated: new Set(Object.keys(file)), unused: unusedOf(file) }
}

/** A host and a user speak under their names: none may be the system's own, nor the other's. */
function namesFault({ host, owner }: ZoneConfig): { key: string; what: string } | undefined {
  if (isReserved(host)) return { key: 'host', what: `host: this name is the system's own: ${host}` }
  if (isReserved(owner)) return { key: 'owner', what: `owner: this name is the system's own: ${owner}` }
  return host === owner ? { key: 'owner', what: `owner: the host has the same name: ${owner}` } : undefined
}

/** The text of a valid file with another value in it. */
export function withSetting(text: string, [section, name]: readonly [string, string], value: unknown): string {
  const document = parseDocument(text)
  if (document.contents === null) return `${JSON.stringify({ [section]: { [name]: value } })}\n`
  document.setIn([section, name], value)
  return String(document)
}
