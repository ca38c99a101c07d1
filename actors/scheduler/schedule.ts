import { DeviceDocument, kv, NodeConfig, readRecord, ServiceSpec, UserSettings } from '../records.ts'

/** `kv://` as the scheduler reads it: key → text. */
export type Config = ReadonlyMap<string, string>

/** What of `kv://` it reads. */
export const inputPrefixes = ['devices/', 'nodes/', 'services/', 'users/', 'system/rbac/'] as const

/** Lines below this one are the scheduler's; those above it are kept as they are. */
export const derivedPolicyMark = '# Derived by the scheduler from users and services; lines below are rewritten'
export const policyKey = 'system/rbac/policy'

interface HostState {
  readonly name: string
  readonly ood: boolean
  readonly config: NodeConfig | undefined
}

/** A device document, checked where it was registered: here only its content counts. */
export type ReadDevice = (text: string) => DeviceDocument | undefined

/**
 * From config to what every host runs, where every service is found, and the policy lines that follow from users and
 * services. Pure: no clock, no random, every tie is broken by name, so that equal input gives equal text.
 */
export function schedule(config: Config, readDevice: ReadDevice): ReadonlyMap<string, string> {
  const specs = specsIn(config)
  const hosts = hostsIn(config, readDevice)
  const placed = place(specs, hosts)
  const derived = new Map<string, string>()
  for (const host of hosts) {
    const services = [...specs.values()]
      .filter(({ spec }) => placed.get(spec.name)?.includes(host.name))
      .map(({ spec, text }) => [spec.name, { target: 'running' as const, specRevision: revisionOf(text) }])
    const node: NodeConfig = { host: host.name, state: host.config?.state ?? 'running', services: Object.fromEntries(services) }
    derived.set(kv.node(host.name), JSON.stringify(node))
  }
  for (const name of specs.keys()) {
    derived.set(`services/${name}/info`, JSON.stringify({ name, hosts: placed.get(name) ?? [] }))
  }
  derived.set(policyKey, policyText(config, specs))
  return derived
}

/** Only what differs from `config`, in order of key. */
export function changes(config: Config, derived: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...derived].filter(([key, text]) => config.get(key) !== text).sort(([a], [b]) => (a < b ? -1 : 1))
}

function specsIn(config: Config): ReadonlyMap<string, { spec: ServiceSpec; text: string }> {
  const specs = new Map<string, { spec: ServiceSpec; text: string }>()
  for (const key of [...config.keys()].sort()) {
    const [root, name, leaf, more] = key.split('/')
    if (root !== 'services' || leaf !== 'spec' || more !== undefined || name === undefined) continue
    const text = config.get(key)!
    specs.set(name, { spec: readRecord(ServiceSpec, key, text), text })
  }
  return specs
}

function hostsIn(config: Config, readDevice: ReadDevice): readonly HostState[] {
  const hosts: HostState[] = []
  for (const key of [...config.keys()].sort()) {
    const [root, name, leaf, more] = key.split('/')
    if (root !== 'devices' || leaf !== 'doc' || more !== undefined || name === undefined) continue
    const document = readDevice(config.get(key)!)
    if (document?.name !== name) continue
    const node = config.get(kv.node(name))
    hosts.push({ name, ood: document.role === 'ood', config: node === undefined ? undefined : readRecord(NodeConfig, kv.node(name), node) })
  }
  return hosts
}

/** Sticky first, then the host with the fewest services, then by name. Kernel services go to OODs only. */
function place(specs: ReadonlyMap<string, { spec: ServiceSpec }>, hosts: readonly HostState[]): ReadonlyMap<string, readonly string[]> {
  const load = new Map(hosts.map(({ name }) => [name, 0]))
  const placed = new Map<string, readonly string[]>()
  for (const { spec } of specs.values()) {
    const candidates = hosts.filter(({ ood, config }) => (ood || !spec.kernel) && (config?.state ?? 'running') === 'running')
    const has = (host: HostState): number => (host.config?.services[spec.name]?.target === 'running' ? 0 : 1)
    const ranked = [...candidates].sort((a, b) =>
      has(a) - has(b) || (load.get(a.name) ?? 0) - (load.get(b.name) ?? 0) || (a.name < b.name ? -1 : 1))
    const chosen = ranked.slice(0, spec.replicas ?? 1).map(({ name }) => name).sort()
    for (const name of chosen) load.set(name, (load.get(name) ?? 0) + 1)
    placed.set(spec.name, chosen)
  }
  return placed
}

/** A spec is told apart from its predecessor by its content: the same text is the same spec on every store. */
function revisionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}

function policyText(config: Config, specs: ReadonlyMap<string, { spec: ServiceSpec }>): string {
  const current = config.get(policyKey) ?? ''
  const at = current.indexOf(derivedPolicyMark)
  const manual = (at < 0 ? current : current.slice(0, at)).trimEnd()
  const lines: string[] = []
  for (const key of [...config.keys()].sort()) {
    const [root, name, leaf, more] = key.split('/')
    if (root !== 'users' || leaf !== 'settings' || more !== undefined) continue
    const user = readRecord(UserSettings, key, config.get(key)!)
    // The system's services speak for their host: a user of that name is given nothing that would be theirs as well
    if (config.has(kv.device(user.name))) continue
    if (user.state === 'active' && user.name === name) lines.push(`g, ${user.name}, ${user.type}`)
  }
  for (const { spec } of specs.values()) {
    if (!spec.kernel) lines.push(`g, ${spec.appid}, app`)
  }
  return [...(manual === '' ? [] : [manual]), derivedPolicyMark, ...lines, ''].join('\n')
}
