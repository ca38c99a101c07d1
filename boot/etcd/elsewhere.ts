import type { Files } from '../../runtime/platform/ports.ts'
import type { ZoneConfig } from '../config.ts'
import { StoresInEtcd } from '../errors.ts'
import { file, type Identity } from '../init.ts'
import { readJournal } from '../migrate/journal.ts'

/** Whether the stores of a zone with this config lie in etcd. */
export const usesEtcd = ({ etcd, tls }: ZoneConfig): boolean => etcd !== undefined && tls.enable

/** @throws StoresInEtcd when the folder's stores are there, or on their way, and the config says nothing of it */
export async function refuseWithoutEtcd(
  files: Files, config: ZoneConfig, { joined }: Pick<Identity, 'joined'> = {},
): Promise<void> {
  if (joined && !usesEtcd(config)) {
    throw new StoresInEtcd(`The stores of this folder lie in etcd, under ${joined.prefix}: ${files.path('.')}`, {
      path: files.path(file.identity), prefix: joined.prefix,
      next: 'Name its etcd in zone.yaml, as the join wrote it: xline_config, with tls_config.enable: true',
    })
  }
  const journal = await readJournal(files)
  // A migration that has not got so far leaves them where they are
  const isThere = journal?.stores.some(({ phase }) => phase === 'retired' || phase === 'done')
  if (!journal || !isThere || usesEtcd(config)) return
  const { endpoints, prefix } = journal
  throw new StoresInEtcd(`The stores of this folder lie in etcd, under ${prefix}: ${files.path('.')}`, {
    path: files.path(file.migration), endpoints, prefix,
    next: `Start it with its etcd: start --config FILE, with xline_config.endpoints ${endpoints.join(', ')} `
      + 'and tls_config.enable: true',
  })
}
