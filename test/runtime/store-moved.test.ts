/** What every Store does, by a store that was moved into etcd. */
import { Etcd3 } from 'etcd3'
import type { MovableStore } from '../../runtime/store/movable.ts'
import type { Store } from '../../runtime/store/store.ts'
import { storeCompliance } from '../compliance/store.ts'
import { startEtcd, type EtcdServer } from './etcd-server.ts'
import { bytes, move, newFolder, open, openFolder, removeFolder, type EtcdLocation } from './move-fixture.ts'

let etcd: EtcdServer
let prefixes = 0

/** etcd forgets what came before the present revision of the cluster. */
async function forget(): Promise<void> {
  const client = new Etcd3({ hosts: etcd.endpoint })
  const { header } = await client.kv.range({ key: Buffer.from('-') })
  await client.kv.compact({ revision: header.revision, physical: true })
  client.close()
}

const compliance = storeCompliance('moved into etcd', async () => {
  const location: EtcdLocation = { type: 'etcd', endpoints: [etcd.endpoint], prefix: `/zones/moved-${++prefixes}` }
  const folder = await newFolder()
  const store: MovableStore = await openFolder(folder)
  // It has a past, and nothing left of it: its revisions are ahead of the cluster's, or behind, from run to run
  for (let round = 0; round < 40; round++) await store.put('before', bytes(String(round)))
  await store.delete('before')
  await move(store, location, 'one')
  const opened: Store[] = [store]
  return {
    store, forget,
    async reopen() {
      const again = await open(location, 'one')
      opened.push(again)
      return again
    },
    async end() {
      for (const each of opened) await each.close()
      await removeFolder(folder)
    },
  }
})
compliance.before(async () => { etcd = await startEtcd() })
compliance.after(() => etcd.end())
compliance.run()
