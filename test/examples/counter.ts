import { actor } from '../../runtime/actor.ts'
import { Audit, Counter } from './protocol.ts'
import { Tally } from './tally.ts'

export default actor(Counter, { needs: { audit: Audit }, mailbox: 1_000 }, async ({ store }) => {
  const tally = await Tally.open(store)
  const notes: string[] = []
  return {
    async add({ by }, cx) {
      await cx.audit.append({ who: cx.principal.sub, by })
      return tally.add(by)
    },
    watch: ({ after }, cx) => tally.since(after, cx.signal),
    note: ({ text }) => void notes.push(text),
    notes: () => notes,
  }
})
