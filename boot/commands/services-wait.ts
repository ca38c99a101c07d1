import { actorsNamed, readHosts, type SeenHost } from '../client/hosts.ts'
import { actualOf, isDown, readService, type Service } from '../client/services.ts'
import { until } from '../client/until.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { ServiceNotServing } from '../errors.ts'
import { printable } from '../printable.ts'

export interface Waiting {
  readonly name: string
  readonly want: 'serving' | 'stopped'
  /** What ran before the change: what is serving must be newer, where it is to be restarted. */
  readonly before: readonly SeenHost[]
  readonly restarted: boolean
  readonly withinMs: number
  readonly next: string
  /** Told of each change of a state. */
  tell(line: string): void
}

/** Settles when the service is as wanted everywhere. @throws ServiceNotServing when it failed, or took too long */
export async function waitFor(client: ZoneClient, waiting: Waiting): Promise<readonly string[]> {
  const { name, want, next } = waiting
  const told = new Map<string, string>()
  const old = new Map(actorsNamed(waiting.before, name).map(({ host, actor }) => [host, actor]))
  for (const [host, { state }] of old) told.set(host, state)
  let last = 'it was not placed on any host'
  const done = await until(client, waiting.withinMs, async () => {
    const [hosts, service] = await Promise.all([readHosts(client), readService(client, name)])
    const at = actorsNamed(hosts, name)
    for (const { host, actor: { state, reason, incarnation } } of at) {
      const before = told.get(host)
      if (before !== state) {
        const why = reason === '' ? '' : `: ${printable(reason)}`
        waiting.tell(`  ${host}/${name}  ${before ?? 'absent'} → ${state}${why}`)
        told.set(host, state)
      }
      const was = old.get(host)
      if (state === 'failed' && want === 'serving' && (was?.state !== 'failed' || incarnation > was.incarnation)) {
        throw new ServiceNotServing(`${host}/${name} failed: ${reason}`, { next })
      }
      if (state !== want) last = `${host}/${name} is ${state}`
    }
    if (at.length === 0 && service && service.hosts.length > 0) {
      last = `it was placed on ${service.hosts.join(', ')}, where nothing of this name has been started`
    }
    if (want === 'serving' && service?.info.missing) {
      const { spec: { replicas = 1 }, info: { missing, reason = '' } } = service
      last = `${missing} of ${replicas} without a host: ${reason}`
    }
    return isThere(waiting, service, hosts) ? at.filter(({ actor }) => actor.state === 'serving') : undefined
  })
  if (done) return done.map(({ host }) => host)
  const seconds = Math.round(waiting.withinMs / 1000)
  throw new ServiceNotServing(`${name} is not ${want} after ${seconds} s: ${last}`, { next })
}

function isThere(
  { name, want, before, restarted }: Waiting, service: Service | undefined, hosts: readonly SeenHost[],
): boolean {
  const at = actorsNamed(hosts, name)
  if (want === 'stopped') return (service?.hosts.length ?? 0) === 0 && at.every(({ actor }) => isDown(actor))
  if (!service || !actualOf(service, hosts).ok) return false
  const old = new Map(actorsNamed(before, name).map(({ host, actor }) => [host, actor.incarnation]))
  return !restarted || at.filter(({ actor }) => actor.state === 'serving')
    .every(({ host, actor }) => actor.incarnation > (old.get(host) ?? 0))
}
