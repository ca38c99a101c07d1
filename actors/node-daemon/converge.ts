import { NodeConfig, readRecord, ServiceSpec, kv } from '../records.ts'
import { StartFailed } from '../../runtime/errors.ts'

/** Read access to `kv://` with the daemon's own token. */
export type Read = (key: string) => Promise<{ value: string; revision: number } | null>

export interface Wanted {
  readonly config: NodeConfig
  readonly revision: number
  readonly specs: ReadonlyMap<string, ServiceSpec>
}

/** This host's config and the spec of every service in it. @throws StartFailed when this host was not scheduled yet */
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

/** An actor that this host can run. */
export interface Known {
  readonly name: string
  readonly state: string
  /** Those that manage the host itself are not: no config starts or stops them. */
  readonly managed: boolean
}

/** What to start and stop, by name. What the config does not name was placed elsewhere, or nowhere: it stops. */
export function difference({ config, specs }: Wanted, known: readonly Known[]): Difference {
  const wants = (name: string): boolean => config.state === 'running' && config.services[name]?.target === 'running'
  const managed = known.filter((each) => each.managed).sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    start: managed.filter(({ name, state }) => wants(name) && specs.has(name) && isDown(state)).map(({ name }) => name),
    stop: managed.filter(({ name, state }) => !wants(name) && !isDown(state)).map(({ name }) => name),
  }
}

const isDown = (state: string): boolean => state === 'stopped' || state === 'failed'
