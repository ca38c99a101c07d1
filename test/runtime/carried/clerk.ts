import { actor } from '../../../runtime/actor.ts'
import { Clerk } from './protocols.ts'

export default actor(Clerk, {}, (start) => ({
  handlers: {
    who: (_, { peer }) => `clerk ${start.self.incarnation} for ${peer.actor} on ${peer.host}`,
    echo: ({ text }) => text,
    nap: ({ ms }) => new Promise<string>((resolve) => void start.clock.after(ms, () => resolve('slept'))),
    async *count({ to }) {
      for (let n = 0; n < to; n++) yield { n }
    },
    die: () => start.background(async () => { throw new Error('Planted') }),
  },
  lifecycle: { admit: ({ actor: name }) => name !== 'stranger' },
}))
