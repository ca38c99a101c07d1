import { actor } from '../../runtime/actor.ts'
import { openEnforcer } from '../enforcement/enforcer.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { openSession } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { Service } from './protocol.ts'

const APPID = 'service'

/**
 * The example to copy. A service logs in by the token of its ENV, reads the zone's two public keys by its session, and
 * then accepts sessions that verify-hub issued for it, and nothing else.
 */
export default actor(Service, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon },
}, async (start) => {
  const { needs, clock, random, env, stopping, background, step } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  const enforcer = await openEnforcer({
    start, appid: APPID, systemConfig: needs.systemConfig, session,
    burn: (token) => needs.verifyHub.burn({ token, audience: APPID }),
  })
  return {
    handlers: {
      greet({ greeting }, cx) {
        const { sub, appid } = enforcer.principal(cx)
        return { text: `${greeting}, ${sub}`, sub, appid }
      },
    },
    lifecycle: { authenticate: enforcer.authenticate },
  }
})
