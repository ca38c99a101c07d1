import { Etcd3 } from 'etcd3'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEtcdStore } from '../../runtime/store/etcd.ts'
import type { Store } from '../../runtime/store/store.ts'
import { storeCompliance } from '../compliance/store.ts'
import { startEtcd, type EtcdServer } from './etcd-server.ts'

let etcd: EtcdServer
let prefixes = 0
const freshPrefix = (): string => `/zones/test-${++prefixes}`
const open = (prefix: string): Promise<Store> => openEtcdStore({ endpoints: [etcd.endpoint], prefix, clock, random })

/** etcd forgets what came before the present revision of the cluster. */
async function forget(store: Store): Promise<void> {
  const client = new Etcd3({ hosts: etcd.endpoint })
  await client.kv.compact({ revision: await store.revision(), physical: true })
  client.close()
}

const compliance = storeCompliance('etcd', async () => {
  const prefix = freshPrefix()
  const opened: Store[] = []
  const openAnother = async (): Promise<Store> => {
    const store = await open(prefix)
    opened.push(store)
    return store
  }
  return {
    store: await openAnother(),
    forget,
    reopen: openAnother,
    async end() {
      for (const store of opened) await store.close()
    },
  }
})
compliance.before(async () => { etcd = await startEtcd() })
compliance.after(() => etcd.end())
compliance.run()
