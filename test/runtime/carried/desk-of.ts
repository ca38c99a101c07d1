import { actor } from '../../../runtime/actor.ts'
import { Clerk, type Desk } from './protocols.ts'

export const deskOf = (protocol: typeof Desk) => actor(protocol, { needs: { clerk: Clerk } }, (start) => ({
  who: (_, cx) => cx.clerk.who({}),
  echo: (args, cx) => cx.clerk.echo(args),
  nap: (args, cx) => cx.clerk.nap(args),
  async count(args, cx) {
    const seen: number[] = []
    for await (const { n } of cx.clerk.count(args)) seen.push(n)
    return seen
  },
  die: () => start.background(async () => { throw new Error('Planted') }),
}))
