import { NodeConfig, readRecord, ServiceSpec, kv } from '../records.ts'
import { StartFailed } from '../../runtime/errors.ts'

/** Read access to `kv://` with the daemon's own token. */
export type Read = (key: string) => Promise<{ value: string; revision: number } | null>

export interface Wanted {
  readonly config: NodeConfig
  readonly revision: number
  readonly specs: ReadonlyMap<string, ServiceSpec>
}

/** This host's config and the spec of every service in it. @throws StartFailed when the scheduler has not placed this host */
export async function readWanted(host: string, read: Read): Promise<Wanted> {
  const item = await read(kv.node(host))
  if (!item) throw new StartFailed(`There is no config for this host: ${kv.node(host)}`, { key: kv.node(host) })
  const config = readRecord(NodeConfig, kv.node(host), item.value)
  const names = Object.keys(config.services).filter((name) => config.services[name]?.target === 'running')
  const specs = new Map<string, ServiceSpec>()
  await Promise.all(names.map(async (name) => {
    const spec = await read(kv.spec(name))
    if (spec) specs.set(name, readRecord(ServiceSpec, kv.spec(name), spec.value))
  }))
  return { config, revision: item.revision, specs }
}

export interface Difference {
  readonly start: readonly string[]
  readonly stop: readonly string[]
}

/**
 * What to start and stop, sorted by name. `known` are the actors that this host can run; those that manage the host
 * itself are never in a config.
 */
export function difference(wanted: Wanted, known: readonly { name: string; state: string }[]): Difference {
  const states = new Map(known.map(({ name, state }) => [name, state]))
  const target = (name: string): string | undefined => (wanted.config.state === 'running' ? wanted.config.services[name]?.target : 'stopped')
  const placed = Object.keys(wanted.config.services).sort()
  return {
    start: placed.filter((name) => target(name) === 'running' && wanted.specs.has(name) && isDown(states.get(name))),
    stop: placed.filter((name) => target(name) === 'stopped' && states.has(name) && !isDown(states.get(name))),
  }
}

const isDown = (state: string | undefined): boolean => state === 'stopped' || state === 'failed'
