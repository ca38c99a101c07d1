import { actor } from '../../runtime/actor.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { leading } from '../leading.ts'
import { openSession } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { Vault } from '../vault/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { createKrpc } from './krpc.ts'
import { CertManager } from './protocol.ts'
import { createPublished } from './published.ts'
import { createRounds } from './rounds.ts'

const APPID = 'cert-manager'

/** Keeps authorities, revocation lists and the set of trusted roots alive, and tells what ends before long. */
export default actor(CertManager, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon, vault: Vault },
  // A vault that is sealed, or restarts, is waited for; and no start of the zone waits for this
  servesWithout: ['vault'],
  stateless: true,
}, async (start) => {
  const { needs, clock, random, env, stopping, background, step, self, log } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  const published = createPublished({ start, systemConfig: needs.systemConfig, session, vault: needs.vault })
  const told = await published.told()
  const led = leading({
    start, systemConfig: needs.systemConfig, session, name: APPID,
    async body({ signal }) {
      rounds.wake()
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
  })
  const rounds = createRounds({ start, vault: needs.vault, published, term: () => led.term })
  background(() => rounds.run())
  const { krpc, authenticate } = createKrpc(start, session, { rounds, published })
  log.info('The certificate manager serves', { authorities: told.size })
  return {
    handlers: { krpc },
    lifecycle: {
      authenticate,
      stop: led.stop,
      admit: (peer) => peer.host === self.host && ['supervisor', 'gateway'].includes(peer.actor),
    },
  }
})
