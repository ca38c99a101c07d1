import { actor } from '../../../runtime/actor.ts'
import { Echo } from './protocol.ts'

export default actor(Echo, { stateless: true }, ({ self }) => ({
  handlers: { where: ({ n }, { peer }) => ({ n, host: self.host, asked: `${peer.actor}@${peer.host}` }) },
  lifecycle: {},
}))
