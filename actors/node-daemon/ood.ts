import { actor } from '../../runtime/actor.ts'
import { createDaemon, daemonNeeds, deviceSigner } from './actor.ts'
import { deviceSession } from './device-tokens.ts'
import { createOperator } from './operate.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { NodeDaemon } from './protocol.ts'

/**
 * The daemon of an OOD (seed: OOD, LOGIN_TYPE self): reads `kv://` by a session that the device key signs, which the
 * system-config of its own host accepts and no other. Operators come to it.
 */
export default actor(NodeDaemon, {
  needs: { ...daemonNeeds, verifyHub: VerifyHub }, servesWithout: ['verifyHub'], stateless: true,
}, (start) => {
  const signer = deviceSigner(start)
  const token = deviceSession(signer, start.self.linkKid)
  const { krpc, krpcStream, authenticate } = createOperator(start, token, (shown) =>
    start.needs.verifyHub.burn({ token: shown, audience: 'node-daemon' }))
  return createDaemon(start, { signer, token, certifies: true, krpc, krpcStream, authenticate })
})
