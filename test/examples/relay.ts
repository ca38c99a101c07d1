import { actor } from '../../runtime/actor.ts'
import { Relay, Unruly } from './unruly-protocol.ts'

export default actor(Relay, { needs: { unruly: Unruly } }, () => ({
  echo: ({ text }, cx) => cx.unruly.echo({ text }),
}))
