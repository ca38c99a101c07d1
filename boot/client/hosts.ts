import { kv, readRecord, ServiceSpec } from '../../actors/records.ts'
import { NotFound } from '../../runtime/errors.ts'
import { array, object, string } from '../../runtime/protocol.ts'
import { HostState } from '../../runtime/supervision.ts'
import { Usage } from '../errors.ts'
import { readNodes, type NodeEntry } from './certificates.ts'
import { getItem, shapeOf } from './kv.ts'
import { unlessRefused } from './refused.ts'
import type { ZoneClient } from './zone-client.ts'

const Hosts = object({ zone: string(), hosts: array(HostState) })

export type ActorState = HostState['actors'][number]

/** A host of the zone: of the process that was asked, or of another machine, by what it told of itself last. */
export interface SeenHost extends Omit<HostState, 'state'> {
  /** Of another machine: `serving` while it is heard of. */
  readonly state: HostState['state'] | Exclude<NodeEntry['state'], 'up'>
  /** Runs elsewhere. Of one that is not heard of nothing is known of what it runs, and `actors` is empty. */
  readonly remote: boolean
  /** When it told of itself last, in epoch milliseconds; null of one that is here, or was never heard. */
  readonly lastSeen: number | null
}

/** All hosts of the zone, or one; those of other machines where the zone runs its node monitor. @throws NotFound */
export async function readHosts(client: ZoneClient, host?: string): Promise<readonly SeenHost[]> {
  const params = host === undefined ? {} : { host }
  const asked = client.call('node-daemon', 'ps', params).then((told) => shapeOf(Hosts, told, 'what runs').hosts)
  const [here, nodes] = await Promise.allSettled([asked, watchedHosts(client)])
  if (nodes.status === 'rejected') throw nodes.reason
  const others = nodes.value.filter(({ name }) => host === undefined || name === host)
  // It may be one of another machine
  if (here.status === 'rejected' && !(host !== undefined && here.reason instanceof NotFound && others.length > 0)) {
    throw here.reason
  }
  const own = here.status === 'fulfilled' ? here.value : []
  const names = new Set(own.map((each) => each.host))
  return [
    ...own.map((each) => ({ ...each, remote: false, lastSeen: null })),
    ...others.filter(({ name }) => !names.has(name)).map(remoteHost),
  ]
}

/** Where no monitor is wanted none is asked: the gateway would wait for it. */
async function watchedHosts(client: ZoneClient): Promise<readonly NodeEntry[]> {
  const key = kv.spec(MONITOR)
  const item = await unlessRefused(getItem(client, key))
  const isWatched = item && readRecord(ServiceSpec, key, item.value).state !== 'stopped'
  return (isWatched && await unlessRefused(readNodes(client))) || []
}
const MONITOR = 'node-monitor'

function remoteHost({ name: host, role, state, lastSeen, info }: NodeEntry): SeenHost {
  const isHeard = state === 'up' || state === 'suspect'
  return {
    host, role, state: state === 'up' ? 'serving' : state, reason: '', starts: 1, remote: true, lastSeen,
    actors: isHeard ? info?.actors ?? [] : [],
  }
}

/** For what is done to a host by the process that runs it. @throws Usage */
export function demandHere(hosts: readonly SeenHost[], { host }: Pick<Target, 'host'>, next: string): void {
  if (hosts.every((each) => each.host !== host || !each.remote)) return
  throw new Usage(`It runs on another machine, and is not reached from here: ${host}`, { next })
}

/** A host, or one actor of it. */
export interface Target {
  readonly host: string
  readonly actor?: string
}

/**
 * `node2`, `node2/service`, or `vault` where one host has it. A name of both a host and an actor is the host's.
 * @throws NotFound, Usage
 */
export function targetOf(hosts: readonly SeenHost[], text: string): Target {
  const [first = '', second, ...rest] = text.split('/')
  if (rest.length > 0 || first === '' || second === '') {
    throw new Usage(`It names neither a host nor an actor: ${text}`, {
      next: 'It looks like node2, node2/service or vault',
    })
  }
  const host = hosts.find((each) => each.host === first)
  if (second !== undefined) {
    if (!host) throw noSuch('host', first, hosts.map((each) => each.host))
    if (has(host, second)) return { host: first, actor: second }
    throw noSuch(`actor on ${first}`, second, host.actors.map(({ name }) => name))
  }
  if (host) return { host: first }
  const having = hosts.filter((each) => has(each, first))
  if (having.length === 1) return { host: having[0]!.host, actor: first }
  if (having.length === 0) throw noSuch('host or actor', first, hosts.map((each) => each.host))
  const some = having.slice(0, 5).map((each) => `${each.host}/${first}`)
  throw new Usage(`Several hosts have an actor of this name: ${first}`, { next: `Say which: ${some.join(', ')}` })
}

const has = (host: SeenHost, name: string): boolean => host.actors.some((each) => each.name === name)

const noSuch = (what: string, name: string, known: readonly string[]): Error =>
  new NotFound(`There is no such ${what}: ${name}`, { next: `There are: ${known.slice(0, 12).join(', ')}` })

export const actorsNamed = (
  hosts: readonly SeenHost[], name: string,
): readonly { readonly host: string; readonly actor: ActorState }[] => hosts.flatMap((each) =>
  each.actors.filter((actor) => actor.name === name).map((actor) => ({ host: each.host, actor })))
