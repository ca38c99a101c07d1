import { NotFound } from '../../runtime/errors.ts'
import { array, object, string } from '../../runtime/protocol.ts'
import { HostState } from '../../runtime/supervision.ts'
import { Usage } from '../errors.ts'
import { shapeOf } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

const Hosts = object({ zone: string(), hosts: array(HostState) })

export type ActorState = HostState['actors'][number]

export async function readHosts(client: ZoneClient, host?: string): Promise<readonly HostState[]> {
  const params = host === undefined ? {} : { host }
  return shapeOf(Hosts, await client.call('node-daemon', 'ps', params), 'what runs').hosts
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
export function targetOf(hosts: readonly HostState[], text: string): Target {
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

const has = (host: HostState, name: string): boolean => host.actors.some((each) => each.name === name)

const noSuch = (what: string, name: string, known: readonly string[]): Error =>
  new NotFound(`There is no such ${what}: ${name}`, { next: `There are: ${known.slice(0, 12).join(', ')}` })

export const actorsNamed = (
  hosts: readonly HostState[], name: string,
): readonly { readonly host: string; readonly actor: ActorState }[] => hosts.flatMap((each) =>
  each.actors.filter((actor) => actor.name === name).map((actor) => ({ host: each.host, actor })))
