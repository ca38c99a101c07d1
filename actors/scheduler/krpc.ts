import type { ActorStart, Authenticate, CallContext, Handlers } from '../../runtime/actor.ts'
import { object } from '../../runtime/protocol.ts'
import { openEnforcer, type Enforcer } from '../enforcement/enforcer.ts'
import { answering, method, type KrpcTable } from '../krpc.ts'
import type { NodeDaemon } from '../node-daemon/protocol.ts'
import { kv, Name } from '../records.ts'
import type { OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { VerifyHub } from '../verify-hub/protocol.ts'
import { createDrain } from './drain.ts'
import type { Scheduler } from './protocol.ts'

type Needs = { systemConfig: typeof SystemConfig; verifyHub: typeof VerifyHub; nodeDaemon: typeof NodeDaemon }
type Cx = CallContext<Needs>

export interface SchedulerKrpc extends Pick<Handlers<typeof Scheduler, Needs>, 'krpc'> {
  readonly authenticate: Authenticate
}

/**
 * The originals' methods, and `drain`. Theirs asked nobody who calls; here it takes a session for the scheduler, of
 * somebody who may operate this host by the policy.
 */
export function createKrpc(
  start: ActorStart<Needs>, session: OwnSession, round: () => Promise<{ readonly revision: number }>,
): SchedulerKrpc {
  const { needs, self } = start
  let opening: Promise<Enforcer> | undefined
  /** Opened by the first who asks: it follows boot/config from then on. */
  const enforcer = (): Promise<Enforcer> => {
    opening ??= openEnforcer({
      start, systemConfig: needs.systemConfig, session, appid: 'scheduler', verifier: 'kernel-service',
      burn: (token) => needs.verifyHub.burn({ token, audience: 'scheduler' }),
    }).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const roundFor = async (_: object, cx: Cx): Promise<object> => {
    // Here, and not at system-config: a sudo token is for one verifier, which is this one
    (await enforcer()).demand(cx, 'write', kv.control(self.host))
    return round()
  }
  const drain = createDrain({ systemConfig: needs.systemConfig, session, round })
  const stateFor = (state: 'running' | 'draining') => async ({ host }: { host: string }, cx: Cx): Promise<object> => {
    (await enforcer()).demand(cx, 'write', kv.control(host))
    return drain(host, state)
  }
  const table: KrpcTable<Cx, unknown> = {
    run_thunk: method(object({}), roundFor),
    /** The lines of the policy are a part of every round. */
    refresh_rbac: method(object({}), roundFor),
    drain: method(object({ host: Name }), stateFor('draining')),
    undrain: method(object({ host: Name }), stateFor('running')),
  }
  return {
    krpc: answering(table),
    authenticate: async (token, peer, use) => (await enforcer()).authenticate(token, peer, use),
  }
}
