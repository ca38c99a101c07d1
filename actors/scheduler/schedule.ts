import type { Infer } from '../../runtime/protocol.ts'
import {
  kv, NodeConfig, readRecord, ServiceSpec, specRevision, UserSettings, type ServiceInfo,
} from '../records.ts'
import type { ReadDevice } from '../read-device.ts'
import type { Action } from '../system-config/protocol.ts'
import { isReserved } from '../trust-matrix.ts'
import { hostsIn, type HostState } from './hosts-in.ts'
import { place, type Placed } from './place.ts'
import { keysIn, readNode, readOr, type Config, type OnInvalid } from './reading.ts'

export type { Config, OnInvalid } from './reading.ts'

/** What of `kv://` it reads. */
export const inputPrefixes = ['devices/', 'nodes/', 'services/', 'users/', 'system/rbac/'] as const

/** Lines below this one are the scheduler's; those above it are kept as they are. */
export const derivedPolicyMark = '# Derived by the scheduler from users and services; lines below are rewritten'
export const policyKey = 'system/rbac/policy'

const fail: OnInvalid = (error) => { throw error }

/**
 * From config to what every host runs, where every service is found, and the policy lines that follow from users and
 * services. Pure: no clock, no random, every tie is broken by name, so that equal input gives equal text. One record
 * that cannot be read concerns nobody else.
 * @param silent hosts that were lost for `limits.hostLostMs`
 */
export function schedule(
  config: Config, readDevice: ReadDevice, onInvalid: OnInvalid = fail, silent: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const { specs, unreadable } = specsIn(config, onInvalid)
  const hosts = hostsIn(config, readDevice, silent, onInvalid)
  const placed = place([...specs.values()].map(({ spec }) => spec), hosts)
  const derived = new Map<string, string>()
  const report = reportOf(specs)
  for (const host of hosts) {
    const services: NodeConfig['services'] = {}
    for (const name of [...specs.keys(), ...unreadable].sort()) {
      const [spec, present] = [specs.get(name), host.config?.services[name]]
      if (!spec && present) services[name] = present
      else if (spec && placed.get(name)?.hosts.includes(host.name)) {
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
    if (root === 'services' && leaf === 'info' && !unreadable.has(name)) derived.set(key, goneInfo(name))
  }
  for (const [name, { spec }] of specs) derived.set(kv.info(name), infoOf(spec, placed.get(name)!, hosts))
  derived.set(policyKey, policyText(config, specs, onInvalid))
  return derived
}

/** Whoever watches the hosts wants to hear of them, and whoever tells their addresses wants those. */
function reportOf(specs: ReadonlyMap<string, { spec: ServiceSpec }>): NodeConfig['report'] {
  const runs = (name: string): boolean => {
    const spec = specs.get(name)?.spec
    return spec?.kernel === true && spec.state !== 'stopped'
  }
  const isAsked = [...specs.values()].some(({ spec: { labels, resources, spread } }) => labels || resources || spread)
  return runs('node-monitor') ? 'regularly' : runs('dns') || isAsked ? 'changes' : undefined
}

const goneInfo = (name: string): string => JSON.stringify({ name, hosts: [] })
const NOWHERE: Placed = { hosts: [], missing: 0, reason: '' }

function infoOf({ name, state, http }: ServiceSpec, placed: Placed, hosts: readonly HostState[]): string {
  const { hosts: at, missing, reason } = state === 'stopped' ? NOWHERE : placed
  const states: NonNullable<ServiceInfo['states']> = {}
  for (const host of hosts) {
    if (!at.includes(host.name)) continue
    if (host.life !== 'alive') states[host.name] = 'lost'
    else if (host.state !== 'running') states[host.name] = 'draining'
  }
  const info: ServiceInfo = {
    name, hosts: [...at], ...(http ? { port: http.port } : {}),
    ...(Object.keys(states).length > 0 ? { states } : {}),
    ...(missing > 0 ? { missing } : {}), ...(reason === '' ? {} : { reason }),
  }
  return JSON.stringify(info)
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
