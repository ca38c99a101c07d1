import { actor } from '../../runtime/actor.ts'
import { Audit } from './protocol.ts'

export default actor(Audit, {}, () => {
  const entries: { who: string; by: number }[] = []
  return {
    append: (entry) => entries.push(entry),
    entries: () => entries,
  }
})
