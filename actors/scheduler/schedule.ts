import type { Infer, Schema } from '../../runtime/protocol.ts'
import {
  kv, NodeConfig, readRecord, RecordInvalid, ServiceSpec, specRevision, UserSettings,
} from '../records.ts'
import type { ReadDevice } from '../read-device.ts'
import type { Action } from '../system-config/protocol.ts'
import { isReserved } from '../trust-matrix.ts'

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

/** Told of a record that is not what its key promises. */
export type OnInvalid = (error: Error) => void
const fail: OnInvalid = (error) => { throw error }

/**
 * From config to what every host runs, where every service is found, and the policy lines that follow from users and
 * services. Pure: no clock, no random, every tie is broken by name, so that equal input gives equal text. One record
 * that cannot be read concerns nobody else.
 */
export function schedule(
  config: Config, readDevice: ReadDevice, onInvalid: OnInvalid = fail,
): ReadonlyMap<string, string> {
  const { specs, unreadable } = specsIn(config, onInvalid)
  const hosts = hostsIn(config, readDevice, onInvalid)
  const placed = place(specs, hosts)
  const derived = new Map<string, string>()
  const report = reportOf(specs)
  for (const host of hosts) {
    const services: NodeConfig['services'] = {}
    for (const name of [...specs.keys(), ...unreadable].sort()) {
      const [spec, present] = [specs.get(name), host.config?.services[name]]
      if (!spec && present) services[name] = present
      else if (spec && placed.get(name)?.includes(host.name)) {
        services[name] = { target: spec.spec.state ?? 'running', specRevision: specRevision(spec.text) }
      }
    }
    const node: NodeConfig = {
      host: host.name, state: host.config?.state ?? 'running', services, ...(report ? { report } : {}),
    }
    derived.set(kv.node(host.name), JSON.stringify(node))
  }
  for (const [key, [root, name, leaf]] of keysIn(config, 3)) {
    // Of a service whose spec is gone, nobody finds a host any more
    if (root === 'services' && leaf === 'info' && !unreadable.has(name)) derived.set(key, infoOf(name, []))
  }
  for (const [name, { spec }] of specs) {
    derived.set(`services/${name}/info`, infoOf(name, spec.state === 'stopped' ? [] : placed.get(name) ?? []))
  }
  derived.set(policyKey, policyText(config, specs, onInvalid))
  return derived
}

/** Whoever watches the hosts wants to hear of them, and whoever tells their addresses wants those. */
function reportOf(specs: ReadonlyMap<string, { spec: ServiceSpec }>): NodeConfig['report'] {
  const runs = (name: string): boolean => {
    const spec = specs.get(name)?.spec
    return spec?.kernel === true && spec.state !== 'stopped'
  }
  return runs('node-monitor') ? 'regularly' : runs('dns') ? 'changes' : undefined
}

const infoOf = (name: string, hosts: readonly string[]): string => JSON.stringify({ name, hosts })

/** Keys of so many segments, in order. */
function keysIn(config: Config, count: number): readonly (readonly [string, readonly [string, string, string]])[] {
  return [...config.keys()].sort().map((key) => [key, key.split('/')] as const)
    .filter(([, segments]) => segments.length === count)
    .map(([key, segments]) => [key, segments as unknown as [string, string, string]] as const)
}

/** Only what differs from `config`, in order of key. */
export function changes(config: Config, derived: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  const differs = (key: string, text: string): boolean => {
    const present = config.get(key)
    if (present === text) return false
    return present === undefined || !isNode(key) || JSON.stringify(readNode(() => {}, key, present)) !== text
  }
  return [...derived].filter(([key, text]) => differs(key, text)).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** A node config is written in part, so the rest of its text is as another left it. */
const isNode = (key: string): boolean => key.startsWith('nodes/')

/** How a change is written. Of a node config all but its state, which is an operator's. */
export function actionOf(config: Config, key: string, text: string): Infer<typeof Action> {
  const present = config.get(key)
  if (present === undefined) return { action: 'create', value: text }
  if (!isNode(key) || !readNode(() => {}, key, present)) return { action: 'update', value: text }
  const { services, report } = readRecord(NodeConfig, key, text)
  const before = readNode(() => {}, key, present)?.report
  const reporting = report === before ? {} : { '/report': report ?? null }
  return { action: 'set_by_path', all_set: { '/services': services, ...reporting } }
}

function specsIn(config: Config, onInvalid: OnInvalid) {
  const specs = new Map<string, { spec: ServiceSpec; text: string }>()
  const unreadable = new Set<string>()
  for (const [key, [root, name, leaf]] of keysIn(config, 3)) {
    if (root !== 'services' || leaf !== 'spec') continue
    const text = config.get(key)!
    const spec = readOr(onInvalid, ServiceSpec, key, text, (read) => read.name === name)
    if (spec) specs.set(name, { spec, text })
    else unreadable.add(name)
  }
  return { specs, unreadable }
}

/** Hosts whose device document counts. A config that cannot be read is written anew. */
function hostsIn(config: Config, readDevice: ReadDevice, onInvalid: OnInvalid): readonly HostState[] {
  const hosts: HostState[] = []
  for (const [key, [root, name, leaf]] of keysIn(config, 3)) {
    if (root !== 'devices' || leaf !== 'doc') continue
    const document = readDevice(config.get(key)!)
    if (document?.name !== name) continue
    const text = config.get(kv.node(name))
    const node = text === undefined ? undefined : readNode(onInvalid, kv.node(name), text)
    hosts.push({ name, ood: document.role === 'ood', config: node })
  }
  return hosts
}

const readNode = (onInvalid: OnInvalid, key: string, text: string): NodeConfig | undefined =>
  readOr(onInvalid, NodeConfig, key, text, ({ host }) => kv.node(host) === key)

/** The record, unless it is not what its key says. */
function readOr<S extends Schema>(
  onInvalid: OnInvalid, schema: S, key: string, text: string, fits: (read: Infer<S>) => boolean,
): Infer<S> | undefined {
  try {
    const read = readRecord(schema, key, text)
    if (fits(read)) return read
    throw new RecordInvalid(`The value of a key speaks of another name: ${key}`, { key })
  } catch (error) {
    if (!(error instanceof RecordInvalid)) throw error
    onInvalid(error)
    return undefined
  }
}

/**
 * Sticky first, then the host with the fewest services, then by name. Kernel services go to OODs only. One that is
 * stopped keeps its place: what it has written is there.
 */
function place(
  specs: ReadonlyMap<string, { spec: ServiceSpec }>, hosts: readonly HostState[],
): ReadonlyMap<string, readonly string[]> {
  const load = new Map(hosts.map(({ name }) => [name, 0]))
  const placed = new Map<string, readonly string[]>()
  for (const { spec } of specs.values()) {
    const mayRun = ({ ood, config }: HostState): boolean =>
      (ood || !spec.kernel) && (config?.state ?? 'running') === 'running'
    const candidates = hosts.filter(mayRun)
    const has = (host: HostState): number => (host.config?.services[spec.name] ? 0 : 1)
    const ranked = [...candidates].sort((a, b) =>
      has(a) - has(b) || (load.get(a.name) ?? 0) - (load.get(b.name) ?? 0) || (a.name < b.name ? -1 : 1))
    // Each OOD has the whole control plane: any of them may be the last
    const wanted = spec.replicas ?? (spec.kernel ? candidates.length : 1)
    const chosen = ranked.slice(0, wanted).map(({ name }) => name).sort()
    for (const name of chosen) load.set(name, (load.get(name) ?? 0) + 1)
    placed.set(spec.name, chosen)
  }
  return placed
}

/** The command line's app, as long as it is one that only people use. */
const isConsole = ({ name, appid, runtimeType, run }: ServiceSpec): boolean =>
  name === 'console' && appid === name && runtimeType === 'client-device' && run === undefined

/** By sudo a user has more than its ordinary sessions, and an admin more than a user. */
const linesOfUser = ({ name, type }: UserSettings): readonly string[] => [
  `g, ${name}, ${type}`, `g, su_${name}, sudo`, ...(type === 'admin' ? [`g, su_${name}, su_admin`] : []),
]

function policyText(
  config: Config, specs: ReadonlyMap<string, { spec: ServiceSpec }>, onInvalid: OnInvalid,
): string {
  const current = config.get(policyKey) ?? ''
  const at = current.indexOf(derivedPolicyMark)
  const manual = (at < 0 ? current : current.slice(0, at)).trimEnd()
  const lines: string[] = []
  for (const [key, [root, name, leaf]] of keysIn(config, 3)) {
    if (root !== 'users' || leaf !== 'settings') continue
    const user = readOr(onInvalid, UserSettings, key, config.get(key)!, (read) => read.name === name)
    // The system's services speak for their host: a user of that name is given nothing that would be theirs as well
    if (config.has(kv.device(name)) || isReserved(name)) continue
    if (user?.state === 'active') lines.push(...linesOfUser(user))
  }
  for (const { spec } of specs.values()) {
    if (isReserved(spec.appid)) continue
    if (!spec.kernel) lines.push(`g, ${spec.appid}, app`)
    if (isConsole(spec)) lines.push(`g, ${spec.appid}, console`)
  }
  return [...(manual === '' ? [] : [manual]), derivedPolicyMark, ...lines, ''].join('\n')
}
