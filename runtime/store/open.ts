import type { Clock, Random } from '../platform/ports.ts'
import { openEmbeddedStore } from './embedded.ts'
import { loadEtcd } from './etcd/load.ts'
import type { StoreLocation } from './location.ts'
import type { Store } from './store.ts'

/**
 * The store of one actor. What speaks to etcd is loaded by the first that lies there: it takes as long to load as some
 * zones to boot.
 * @throws what `openEmbeddedStore` and `openEtcdStore` do
 */
export async function openStore(
  location: StoreLocation, name: string, ports: { clock: Clock; random: Random },
): Promise<Store> {
  if (location.type === 'folder') return openEmbeddedStore(`${location.path}/${name}`, ports)
  const { endpoints, prefix, credentials } = location
  const { openEtcdStore } = await loadEtcd()
  return openEtcdStore({ endpoints, prefix: `${prefix}/${name}`, ...(credentials && { credentials }), ...ports })
}
