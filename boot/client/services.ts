import { kv, readRecord, ServiceInfo, ServiceSpec } from '../../actors/records.ts'
import { NotFound, RevisionMismatch } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { actorsNamed, type ActorState, type SeenHost } from './hosts.ts'
import { getItem, listNames, transact } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

/** A service as it is wanted, and where the scheduler has put it. */
export interface Service {
  readonly spec: ServiceSpec
  /** Of the spec. */
  readonly revision: number
  readonly hosts: readonly string[]
  /** As the scheduler tells of it. */
  readonly info: ServiceInfo
}

export async function readService(client: ZoneClient, name: string): Promise<Service | undefined> {
  const [spec, info] = await Promise.all([
    getItem(client, kv.spec(name)), getItem(client, kv.info(name)),
  ])
  if (!spec) return undefined
  const told = info ? readRecord(ServiceInfo, kv.info(name), info.value) : { name, hosts: [] }
  return {
    spec: readRecord(ServiceSpec, kv.spec(name), spec.value), revision: spec.revision, hosts: told.hosts, info: told,
  }
}

export async function readServices(client: ZoneClient): Promise<readonly Service[]> {
  const names = await listNames(client, 'services')
  const found: Service[] = []
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = await Promise.all(names.slice(at, at + AT_ONCE).map((name) => readService(client, name)))
    found.push(...some.filter((service) => service !== undefined))
  }
  return found
}

const AT_ONCE = 16

export const noSuchService = (name: string): Error => new NotFound(`There is no such service: ${name}`, { name })

/** What of a service runs, and whether that is what is wanted. */
export interface Actual {
  readonly wanted: number
  readonly serving: number
  readonly ok: boolean
  readonly at: readonly { readonly host: string; readonly actor: ActorState }[]
}

/** What has failed stays so in the list once nobody wants it any more. */
export const isDown = ({ state }: ActorState): boolean => state === 'stopped' || state === 'failed'

export function actualOf({ spec, hosts: placed }: Service, hosts: readonly SeenHost[]): Actual {
  // What a host is made of, such as its gateway, it runs unasked, and that counts where it is asked for
  const at = actorsNamed(hosts, spec.name).filter(({ host, actor }) => actor.managed || placed.includes(host))
  const wanted = spec.state === 'stopped' ? 0 : spec.replicas ?? 1
  const serving = at.filter(({ actor }) => actor.state === 'serving').length
  const placedServe = placed.every((host) => at.some((one) => one.host === host && one.actor.state === 'serving'))
  const ok = wanted === 0 ? at.every(({ actor }) => isDown(actor)) : placed.length >= wanted && placedServe
  return { wanted, serving, at, ok }
}

/** Changes a spec, whatever others change in it meanwhile. @throws NotFound */
export async function changeSpec(
  client: ZoneClient, name: string, change: (spec: ServiceSpec) => ServiceSpec | undefined,
): Promise<{ readonly before: Service; readonly revision: number }> {
  for (let attempt = 1; ; attempt++) {
    const before = await readService(client, name)
    if (!before) throw noSuchService(name)
    const spec = change(before.spec)
    const key = kv.spec(name)
    const action = spec ? { action: 'update', value: JSON.stringify(spec) } : { action: 'remove' }
    try {
      return { before, revision: await transact(client, { [key]: action }, { key, revision: before.revision }) }
    } catch (error) {
      if (!(error instanceof RevisionMismatch) || attempt >= limits.storeRaces) throw error
    }
  }
}
