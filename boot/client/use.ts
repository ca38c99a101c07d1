import { kv, NodeConfig, readRecord } from '../../actors/records.ts'
import type { NodeEntry } from './certificates.ts'
import { getItem } from './kv.ts'
import { readServices } from './services.ts'
import type { ZoneClient } from './zone-client.ts'

/** What is placed on a host, against what it has for that. */
export interface Use {
  readonly services: number
  readonly memoryBytes: number
  /** In hundredths of a processor. */
  readonly processors: number
  /** Undefined where the host has not told. */
  readonly capacity: { readonly memoryBytes: number; readonly processors: number } | undefined
  /** As an operator wants it; undefined where it was not scheduled yet. */
  readonly wanted: NodeConfig['state'] | undefined
}

const AT_ONCE = 16

export async function readUse(client: ZoneClient, nodes: readonly NodeEntry[]): Promise<ReadonlyMap<string, Use>> {
  const services = (await readServices(client)).filter(({ spec }) => spec.state !== 'stopped')
  const wanted = new Map<string, NodeConfig['state']>()
  for (let at = 0; at < nodes.length; at += AT_ONCE) {
    await Promise.all(nodes.slice(at, at + AT_ONCE).map(async ({ name }) => {
      const item = await getItem(client, kv.node(name))
      if (item) wanted.set(name, readRecord(NodeConfig, kv.node(name), item.value).state)
    }))
  }
  return new Map(nodes.map(({ name, info }) => {
    const here = services.filter(({ hosts }) => hosts.includes(name))
    const sum = (of: 'memoryBytes' | 'processors'): number =>
      here.reduce((total, { spec }) => total + (spec.resources?.[of] ?? 0), 0)
    const capacity = info ? {
      memoryBytes: info.capacity?.memoryBytes ?? info.memoryBytes,
      processors: info.capacity?.processors ?? info.processors * 100,
    } : undefined
    return [name, {
      services: here.length, memoryBytes: sum('memoryBytes'), processors: sum('processors'), capacity,
      wanted: wanted.get(name),
    }]
  }))
}
