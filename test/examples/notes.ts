import { actor } from '../../runtime/actor.ts'
import { Notes } from './notes-protocol.ts'

/** Keeps lines in a file of its own, each on the disk before it is answered. */
export default actor(Notes, {}, async ({ files }) => {
  const folder = await files!()
  return {
    async add({ line }) {
      await folder.append('notes', new TextEncoder().encode(`${line}\n`), { mode: 0o600, durable: true })
      return {}
    },
    all: async () => new TextDecoder().decode(await folder.read('notes')).split('\n').filter(Boolean),
  }
})
