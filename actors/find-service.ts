import type { ActorStart } from '../runtime/actor.ts'
import type { CallSettings, Client } from '../runtime/protocol.ts'
import { follow } from './follow.ts'
import { kv, readRecord, RecordInvalid, ServiceInfo } from './records.ts'
import type { OwnSession } from './session.ts'
import type { SystemConfig } from './system-config/protocol.ts'

/** Where a service is, for one of those who call it. */
export interface Found {
  readonly host: string
  /** At which it answers HTTP there, on loopback. */
  readonly port: number | undefined
}

/** Who looks for it: two that differ in `key` are spread over its hosts, and the same one stays with its host. */
export interface Seeker {
  readonly host: string
  readonly key: string
}

/**
 * The seeker's own host where the service is there; else one of those that are heard of, and one that is drained only
 * where there is no other. When a host comes or goes, only its own share of the seekers goes elsewhere.
 */
export function chooseHost({ hosts, states = {}, port }: ServiceInfo, { host: own, key }: Seeker): Found | undefined {
  if (hosts.includes(own)) return { host: own, port }
  const inState = (state: 'draining' | undefined): readonly string[] => hosts.filter((host) => states[host] === state)
  const well = inState(undefined)
  const candidates = well.length > 0 ? well : inState('draining')
  let best: { readonly host: string; readonly weight: number } | undefined
  for (const host of candidates) {
    const weight = weightOf(`${key} ${host}`)
    if (!best || weight > best.weight || (weight === best.weight && host < best.host)) best = { host, weight }
  }
  return best && { host: best.host, port }
}

/** FNV-1a, and mixed once more: names that differ in their last letter only would be near each other. */
function weightOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Reads it each time: what moved a moment ago counts. @throws RecordInvalid, and what system-config throws */
export async function findService(
  systemConfig: Pick<Client<typeof SystemConfig>, 'get'>, name: string, seeker: Seeker, settings: CallSettings,
): Promise<Found | undefined> {
  const item = await systemConfig.get({ key: kv.info(name) }, settings)
  return item ? chooseHost(readRecord(ServiceInfo, kv.info(name), item.value), seeker) : undefined
}

export interface FollowServiceOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log' | 'stopping'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'watch'>
  readonly session: Pick<OwnSession, 'token'>
  readonly name: string
  readonly seeker: Seeker
  /** At first, and whenever the choice is another one. */
  readonly onChange: (found: Found | undefined) => void
}

/** For who holds on to a service: until the actor stops. */
export async function followService({ name, seeker, onChange, ...how }: FollowServiceOptions): Promise<void> {
  const key = kv.info(name)
  let told: string | undefined
  const see = (text: string | undefined): void => {
    const found = text === undefined ? undefined : chosen(key, text, seeker)
    const now = found ? `${found.host} ${found.port ?? ''}` : ''
    if (now === told) return
    told = now
    onChange(found)
  }
  await follow({
    ...how, prefix: key,
    onBegin: (items) => see(items.find((item) => item.key === key)?.value),
    onEvent: (event) => {
      if (event.key === key) see(event.type === 'delete' ? undefined : event.value)
    },
  })
}

function chosen(key: string, text: string, seeker: Seeker): Found | undefined {
  try {
    return chooseHost(readRecord(ServiceInfo, key, text), seeker)
  } catch (error) {
    if (error instanceof RecordInvalid) return undefined
    throw error
  }
}
