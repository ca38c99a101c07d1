import { DeviceInfo, HostRecord, kv, type NodeConfig, type Resources } from '../records.ts'
import type { ReadDevice } from '../read-device.ts'
import type { PlaceHost } from './place.ts'
import { keysIn, readNode, readOr, type Config, type OnInvalid } from './reading.ts'

export interface HostState extends PlaceHost {
  readonly config: NodeConfig | undefined
}

/**
 * Hosts whose device document counts, with what each has told of itself. A config that cannot be read is written anew.
 * @param silent those that were lost for `limits.hostLostMs`
 */
export function hostsIn(
  config: Config, readDevice: ReadDevice, silent: ReadonlySet<string>, onInvalid: OnInvalid,
): readonly HostState[] {
  const documents = keysIn(config, 3).flatMap(([key, [root, name, leaf]]) => {
    if (root !== 'devices' || leaf !== 'doc') return []
    const document = readDevice(config.get(key)!)
    // Nothing is placed on a client device
    return document?.name === name && document.role !== 'client-device' ? [document] : []
  })
  const lost = lostIn(config, onInvalid)
  const believed = isBelieved(lost, documents.map(({ name }) => name))
  return documents.map(({ name, role }) => {
    const text = config.get(kv.node(name))
    const node = text === undefined ? undefined : readNode(onInvalid, kv.node(name), text)
    const info = infoIn(config, name, onInvalid)
    return {
      name, ood: role === 'ood', config: node, state: node?.state ?? 'running',
      life: !lost.has(name) ? 'alive' as const : believed && silent.has(name) ? 'gone' as const : 'lost' as const,
      holds: new Set(Object.keys(node?.services ?? {})),
      labels: info && (info.labels ?? {}), capacity: info && capacityOf(info),
    }
  })
}

/** Of most hosts at once it is not: a control plane that is cut off hears of nobody. */
export const isBelieved = (lost: ReadonlySet<string>, hosts: readonly string[]): boolean =>
  2 * hosts.filter((name) => lost.has(name)).length <= hosts.length

/** Hosts that have a device document, whether it counts or not. */
export const namedIn = (config: Config): readonly string[] => keysIn(config, 3)
  .flatMap(([, [root, name, leaf]]) => (root === 'devices' && leaf === 'doc' ? [name] : []))

/** Those that the node monitor calls lost. */
export function lostIn(config: Config, onInvalid: OnInvalid): ReadonlySet<string> {
  const lost = [...config].flatMap(([key, text]) => {
    if (!key.startsWith(kv.hosts)) return []
    const found = readOr(onInvalid, HostRecord, key, text, ({ host }) => kv.host(host) === key)
    return found?.state === 'lost' ? [found.host] : []
  })
  return new Set(lost)
}

function infoIn(config: Config, name: string, onInvalid: OnInvalid): DeviceInfo | undefined {
  const key = kv.deviceInfo(name)
  const text = config.get(key)
  return text === undefined ? undefined : readOr(onInvalid, DeviceInfo, key, text, (info) => info.name === name)
}

const capacityOf = ({ memoryBytes, processors, capacity = {} }: DeviceInfo): Resources => ({
  memoryBytes: capacity.memoryBytes ?? memoryBytes, processors: capacity.processors ?? processors * 100,
})
