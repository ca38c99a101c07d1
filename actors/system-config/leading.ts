import type { ActorStart, Handlers } from '../../runtime/actor.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { kernelActors } from '../trust-matrix.ts'
import type { SystemConfig } from './protocol.ts'
import { chainOf, type Caller } from './sessions.ts'
import type { State } from './state.ts'

type Leading = Pick<Handlers<typeof SystemConfig, {}>, 'lead' | 'resign'>

/**
 * A kernel service leads by its own name, and by the system-config of its own host: what of that host led before has
 * ended when another asks.
 */
export function leading(
  { sessions, leaders }: State, { denials, self }: Pick<ActorStart, 'denials' | 'self'>,
): Leading {
  const permit = async (cx: Caller, name: string): Promise<void> => {
    const session = await sessions.current(cx)
    const { speaker: { appid, runtimeType } } = session
    const { actor, host } = cx.peer
    const isItself = runtimeType === 'kernel-service' && appid === name && actor === name && host === self.host
    if (isItself && (kernelActors as readonly string[]).includes(name)) return
    throw denials.denied([...chainOf(session), deniedBy({
      layer: 'rbac', reason: 'rbac/no-rule', rule: 'system-config/lead',
      detail: `lead ${name} by ${actor} on ${host} (${runtimeType}) in ${appid}`,
    })])
  }
  return {
    async lead({ name }, cx) {
      await permit(cx, name)
      return leaders.lead(name, cx.peer)
    },
    async resign({ name }, cx) {
      await permit(cx, name)
      await leaders.resign(name, cx.peer)
      return {}
    },
  }
}
