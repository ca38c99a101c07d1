import { messageOf, StartFailed } from '../../runtime/errors.ts'
import { HostRecord, kv, NodeConfig, readRecord, RecordInvalid, ServiceSpec, specRevision } from '../records.ts'

/** Read access to `kv://` with the daemon's own token. */
export type Read = (key: string) => Promise<{ value: string; revision: number } | null>

/** A spec, and what tells it from its predecessor. */
export interface WantedSpec {
  readonly spec: ServiceSpec
  readonly revision: number
}

export interface Wanted {
  readonly config: NodeConfig
  readonly revision: number
  /** Of what should run here. */
  readonly specs: ReadonlyMap<string, WantedSpec>
  /** Whose spec cannot be read: they stay as they are. */
  readonly unreadable: ReadonlySet<string>
}

/** What this host is told of itself. */
export interface Told {
  readonly config: NodeConfig
  readonly revision: number
  /** The node monitor does not hear of it. */
  readonly lost: boolean
}

/** @throws StartFailed when this host was not scheduled yet */
export async function readTold(host: string, read: Read): Promise<Told> {
  const [record, item] = await Promise.all([read(kv.host(host)), read(kv.node(host))])
  if (!item) throw new StartFailed(`There is no config for this host: ${kv.node(host)}`, { key: kv.node(host) })
  const config = readRecord(NodeConfig, kv.node(host), item.value)
  return { config, revision: item.revision, lost: record !== null && isLost(kv.host(host), record.value) }
}

/** As the scheduler reads it: a record that cannot be read says nothing. */
function isLost(key: string, text: string): boolean {
  try {
    return readRecord(HostRecord, key, text).state === 'lost'
  } catch (error) {
    if (error instanceof RecordInvalid) return false
    throw error
  }
}

/** What is started elsewhere when this host is silent for long. Its own state, or the zone's, holds the others here. */
export const mayMove = ({ kernel, stateful }: ServiceSpec): boolean => !kernel && stateful !== true

/** Without what may run elsewhere by now; `keeps` says which of that goes on for the time being. */
export function fenced(wanted: Wanted, keeps: (name: string) => boolean): Wanted {
  const specs = new Map([...wanted.specs].filter(([name, { spec }]) => !mayMove(spec) || keeps(name)))
  return { ...wanted, specs }
}

/** The spec of every service in a host's config; one that cannot be read is told, and concerns no other. */
export async function readWanted(
  { config, revision }: Told, read: Read, onInvalid: (error: Error) => void,
): Promise<Wanted> {
  const names = Object.keys(config.services).filter((name) => config.services[name]?.target === 'running')
  const specs = new Map<string, WantedSpec>()
  const unreadable = new Set<string>()
  await Promise.all(names.map(async (name) => {
    const found = await read(kv.spec(name))
    try {
      if (!found) return
      const spec = readRecord(ServiceSpec, kv.spec(name), found.value)
      specs.set(name, { spec, revision: specRevision(found.value) })
    } catch (error) {
      if (!(error instanceof RecordInvalid)) throw error
      unreadable.add(name)
      onInvalid(new StartFailed(`${name} stays as it is: ${messageOf(error)}`, { actor: name }))
    }
  }))
  return { config, revision, specs, unreadable }
}

/** By name; in none of them is what is as it should be. */
export interface Difference {
  readonly start: readonly string[]
  readonly stop: readonly string[]
  /** Runs from another spec than the one that is wanted now. */
  readonly replace: readonly string[]
}

/** An actor that this host can run, or a process that it has run. */
export interface Known {
  readonly name: string
  readonly kind: 'worker' | 'process'
  readonly state: string
  /** Revision of the spec that it was started from. */
  readonly version: string
  /** Those that manage the host itself are not: no config starts or stops them. */
  readonly managed: boolean
}

/** What the config does not name was placed elsewhere, or nowhere: it stops. */
export function difference(wanted: Wanted, known: readonly Known[]): Difference {
  const found = new Map(known.map((each) => [each.name, each]))
  const names = [...new Set([...found.keys(), ...wanted.specs.keys()])].sort()
    .filter((name) => found.get(name)?.managed !== false && !wanted.unreadable.has(name))
  const [start, stop, replace]: [string[], string[], string[]] = [[], [], []]
  for (const name of names) {
    const [spec, actor] = [wantedHere(wanted, name), found.get(name)]
    const isUp = actor !== undefined && actor.state !== 'stopped' && actor.state !== 'failed'
    const runs = spec !== undefined && (spec.spec.run !== undefined || actor?.kind === 'worker')
    if (!runs) {
      if (isUp) stop.push(name)
    } else if (!isUp || actor.state === 'stopping') start.push(name)
    else if (isOlder(wanted, name, actor.version)) replace.push(name)
  }
  return { start, stop, replace }
}

const wantedHere = ({ config, specs }: Wanted, name: string): WantedSpec | undefined =>
  config.state !== 'stopped' && config.services[name]?.target === 'running' ? specs.get(name) : undefined

/** Of a spec that the scheduler has not seen yet, its own config will follow. */
const isOlder = ({ config, specs }: Wanted, name: string, version: string): boolean => {
  const revision = specs.get(name)?.revision
  return revision === config.services[name]?.specRevision && version !== String(revision)
}
