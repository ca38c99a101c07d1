import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import type { ZoneConfig } from '../config.ts'
import type { EtcdLocation } from '../migrate/move-stores.ts'
import { readCredentials } from './credentials.ts'
import { reachEtcd } from './reach.ts'

/** Where the stores of a zone with this config belong. */
export const targetOf = ({ etcd, zone }: ZoneConfig, credentials: EtcdCredentials): EtcdLocation =>
  ({ type: 'etcd', endpoints: etcd?.endpoints ?? [], prefix: `${etcd?.prefix ?? ''}/${zone}`, credentials })

/** The same, once it answers. @throws what `readCredentials` and `reachEtcd` do */
export async function reachedTarget(platform: Platform, files: Files, config: ZoneConfig): Promise<EtcdLocation> {
  const { etcd: credentials } = await readCredentials(platform, files, config)
  await reachEtcd({ platform, endpoints: config.etcd?.endpoints ?? [], credentials })
  return targetOf(config, credentials)
}
