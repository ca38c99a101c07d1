import { actor, type ActorStart } from '../../runtime/actor.ts'
import { messageOf, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import { answering, streaming } from '../krpc.ts'
import { NODE_SEQUENCE, nodeStep } from '../node-steps.ts'
import { keepSession, type OwnSession } from '../session.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { createDaemon, daemonNeeds, deviceSigner } from './actor.ts'
import { loginToken, type DeviceSigner } from './device-tokens.ts'
import { NodeDaemon } from './protocol.ts'

const APPID = 'node-daemon'
const needs = { ...daemonNeeds, verifyHub: VerifyHub } as const
const RETRY = { min: limits.loginRetryMsMin, max: limits.loginRetryMsMax }

/**
 * The daemon of a node (seed: Node Server, LOGIN_TYPE by-jwt): there is no system-config on its host, so it logs in at
 * verify-hub before it can read anything. It does so at once, and serves meanwhile: neither its start nor that of its
 * services waits for an OOD that is away.
 */
export default actor(NodeDaemon, { needs, stateless: true }, (start) => {
  const signer = deviceSigner(start)
  const opening = logIn(start, signer)
  // Whoever needs it is told; nobody may, before the daemon stops
  opening.catch(() => {})
  return createDaemon(start, {
    signer, token: async () => (await opening).token(), krpc: answering({}), krpcStream: streaming({}),
  })
})

/** Settles with the first session; refused or out of reach, it tries again for as long as the daemon lives. */
async function logIn(start: ActorStart<typeof needs>, signer: DeviceSigner): Promise<OwnSession> {
  const { clock, random, stopping, background, step, log } = start
  const fresh = async (): Promise<string> => {
    const token = loginToken(signer, { appid: APPID, owner: null, runtimeType: 'node' })
    step(NODE_SEQUENCE, nodeStep.loginTokenSigned, { host: signer.host, kid: signer.key.public.kid })
    return token
  }
  const received = (sid: string): void => step(NODE_SEQUENCE, nodeStep.pairReceived, { host: signer.host, sid })
  for (let failures = 0; !stopping.aborted; failures++) {
    try {
      return await keepSession({
        clock, random, stopping, background, fresh, received, appid: APPID, audiences: ['system-config'],
        verifyHub: start.needs.verifyHub,
      })
    } catch (error) {
      if (!stopping.aborted) log.warn(`Logging in failed: ${messageOf(error)}`)
    }
    await pause(clock, backoffMs(random, failures, RETRY), stopping)
  }
  throw new Unavailable('The node daemon stops')
}
