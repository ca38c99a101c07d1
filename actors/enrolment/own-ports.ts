import type { EtcdPlace } from './ood-joins.ts'

/** Where the zone itself listens, and its store: no service's, whatever a spec says. 0 is none. */
export function portsIn(ports: string | undefined, etcd: Pick<EtcdPlace, 'endpoints'> | undefined): readonly number[] {
  const ofEtcd = (etcd?.endpoints ?? []).map((endpoint) => Number(/:(\d+)\/?$/.exec(endpoint)?.[1] ?? 0))
  return [...(ports ?? '').split(',').map(Number), ...ofEtcd].filter((port) => port > 0)
}
