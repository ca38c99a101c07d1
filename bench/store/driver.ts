import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { actor } from '../../runtime/actor.ts'
import { measure } from '../link/payload.ts'
import { fanKey, KEYS, keyOf, scattered, valueOf } from './payload.ts'
import { StoreDriver } from './protocol.ts'

const FILL_IN_FLIGHT = 256

export default actor(StoreDriver, { needs: { kv: SystemConfig }, stateless: true }, ({ needs: { kv } }) => ({
  async fill({ token }) {
    let [next, revision] = [0, 0]
    const loop = async (): Promise<void> => {
      while (next < KEYS) ({ revision } = await kv.set({ key: keyOf(next), value: valueOf(next++) }, { token }))
    }
    await Promise.all(Array.from({ length: FILL_IN_FLIGHT }, loop))
    return { revision }
  },
  async measure({ of, inFlight, ms, from, token }) {
    const settings = { token }
    let number = from
    const put = (): Promise<unknown> => kv.set({ key: keyOf(scattered(number)), value: valueOf(number++) }, settings)
    const get = async (): Promise<void> => {
      if (await kv.get({ key: keyOf(scattered(number++)) }, settings) === null) throw new Error('A key is missing')
    }
    return { rate: await measure(of === 'put' ? put : get, inFlight, ms), calls: number - from }
  },
  async write({ folder, from, count, token }) {
    let revision = 0
    for (let number = from; number < from + count; number++) {
      ({ revision } = await kv.set({ key: fanKey(folder, number), value: valueOf(number) }, { token }))
    }
    return { revision }
  },
}))
