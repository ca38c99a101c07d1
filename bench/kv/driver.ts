import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { actor } from '../../runtime/actor.ts'
import type { CallSettings, Client } from '../../runtime/protocol.ts'
import { measure } from '../link/payload.ts'
import { key, value } from './payload.ts'
import { Bare, KvDriver } from './protocol.ts'

const WRITES_IN_FLIGHT = 64
/** Ten thousand keys on a busy machine may take longer than a call by default. */
const WITHIN_MS = 60_000

type Kv = Client<typeof SystemConfig>

const needs = { bare: Bare, kv: SystemConfig }

export default actor(KvDriver, { needs, stateless: true }, ({ needs: { bare, kv } }) => ({
  async write({ folder, keys, token }) {
    const { revision } = await kv.dump({ prefixes: [folder] }, { token })
    let written = 0
    const loop = async (): Promise<void> => {
      while (written < keys) await kv.set({ key: keyOf(folder, written++), value }, { token, withinMs: WITHIN_MS })
    }
    await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, loop))
    return { revision }
  },
  async get({ of, inFlight, ms, token }) {
    const { get } = of === 'kv' ? kv : bare
    const settings = { token }
    const last = { value: '' }
    const rate = await measure(async () => Object.assign(last, await get({ key }, settings)), inFlight, ms)
    if (last.value !== value) throw new Error(`The answer of ${of} is something else`)
    return { micros: 1_000_000 / rate }
  },
  async list({ folder, keys, ms, token }) {
    const settings = { token, withinMs: WITHIN_MS }
    return { micros: await microsPer(keys, ms, async () => (await kv.list({ key: folder }, settings)).length) }
  },
  async watch({ folder, keys, after, ms, token }) {
    const settings = { token, withinMs: WITHIN_MS }
    return { micros: await microsPer(keys, ms, () => watched(kv, folder, after, keys, settings)) }
  },
}))

const keyOf = (folder: string, index: number): string => `${folder}/key-${String(index).padStart(6, '0')}`

/** Events until all keys have come, in the order of their revisions. */
async function watched(kv: Kv, folder: string, after: number, keys: number, settings: CallSettings): Promise<number> {
  let [events, last] = [0, after]
  for await (const { type, revision } of kv.watch({ prefix: folder, after }, settings)) {
    if (type !== 'put' || revision <= last) throw new Error(`Revision ${revision} came after ${last}`)
    last = revision
    if (++events === keys) break
  }
  return events
}

/** The mean of one part in what has `parts` of them, over as many turns as begin within `ms`. */
async function microsPer(parts: number, ms: number, turn: () => Promise<number>): Promise<number> {
  const began = performance.now()
  let turns = 0
  for (; turns === 0 || performance.now() - began < ms; turns++) {
    const seen = await turn()
    if (seen !== parts) throw new Error(`There are ${parts} of them, and ${seen} came`)
  }
  return (performance.now() - began) * 1_000 / (turns * parts)
}
