import { actor } from '../../runtime/actor.ts'
import { pause } from '../../runtime/within.ts'
import { Greedy } from './greedy-protocol.ts'

/** About 4 MB of heap: one part that is too large for it aborts Node as a whole (nodejs/node#65019). */
const hoard = (): object[] => Array.from({ length: 100_000 }, (_, number) => ({ number }))
/** About 700 MB: more would only slow the machine down. */
const HOARDS = 180

export default actor(Greedy, {}, ({ clock, store, self, background }) => {
  const hoarded: object[][] = []
  const made: number[] = []
  return {
    echo: ({ value }) => value,
    async occupy({ ms }) {
      await pause(clock, ms)
      return ms
    },
    incarnation: () => self.incarnation,
    put: ({ key }) => store.put(key, new Uint8Array(100)),
    async keys() {
      return (await store.list('')).entries.map(({ key }) => key)
    },
    leak: ({ gently }) => background(async () => {
      for (;;) {
        if (!gently || hoarded.length < HOARDS) hoarded.push(hoard())
        if (gently) await pause(clock, 5)
      }
    }),
    async *items({ count, length }) {
      const stream = made.push(0) - 1
      const text = 'x'.repeat(length)
      for (let number = 0; number < count; number++) {
        made[stream] = number + 1
        yield { number, text }
      }
    },
    made: () => made,
  }
})
