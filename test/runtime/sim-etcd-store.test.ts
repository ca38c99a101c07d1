import type { Store } from '../../runtime/store/store.ts'
import { storeCompliance } from '../compliance/store.ts'
import { runWithEtcd, type EtcdWorld } from './sim-etcd-fixture.ts'

let world: EtcdWorld

for (const seed of [1, 2]) {
  const compliance = storeCompliance(`simulated etcd, seed ${seed}`, async () => {
    const opened: Store[] = []
    const open = async (): Promise<Store> => {
      const store = await world.open()
      opened.push(store)
      return store
    }
    return {
      store: await open(),
      forget: async () => world.etcd.compact(),
      reopen: open,
      async end() {
        for (const store of opened) await store.close()
      },
    }
  }, {
    wait: (ms) => world.wait(ms),
    run: (check) => runWithEtcd(seed, (given) => {
      world = given
      return check()
    }).then(() => {}),
  })
  compliance.run()
}
