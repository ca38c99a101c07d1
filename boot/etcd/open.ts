import type { Files } from '../../runtime/platform/ports.ts'
import type { Trace } from '../../runtime/trace.ts'
import type { ZoneConfig } from '../config.ts'
import { file, type Identity } from '../init.ts'
import type { UpOptions } from '../up.ts'
import { refuseWithoutEtcd, usesEtcd } from './elsewhere.ts'
import type { EtcdStart } from './start.ts'

/** Where the config names etcd: what its stores, and the way there, are looked after by. */
export async function openEtcd(
  options: Pick<UpOptions, 'platform' | 'stores' | 'config' | 'ownerKey' | 'onProgress'> & { readonly trace: Trace },
  files: Files, identity: Identity, config: ZoneConfig,
): Promise<EtcdStart | undefined> {
  const { platform, trace, ownerKey, onProgress = () => {} } = options
  if (options.stores) return undefined
  await refuseWithoutEtcd(files, config, identity)
  if (!usesEtcd(config)) return undefined
  // What speaks to etcd takes as long to load as some zones to boot
  const { EtcdStart } = await import('./start.ts')
  return EtcdStart.open({
    platform, files, identity, config, configPath: options.config?.path ?? files.path(file.config), ownerKey, trace,
    onProgress,
  })
}
