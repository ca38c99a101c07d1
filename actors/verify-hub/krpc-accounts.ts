import type { CallContext } from '../../runtime/actor.ts'
import { maxLength, object, optional, pipe, string } from '../../runtime/protocol.ts'
import { method, type KrpcTable } from '../krpc.ts'
import {
  listSessions, listUsers, revokeSession, revokeSessions, sessionState, setPassword, unlock, whoami,
} from './accounts.ts'
import type { Askers } from './asker.ts'
import type { Hub } from './hub.ts'
import type { Caller } from './login.ts'

const word = pipe(string(), maxLength(128))

type Cx = Pick<CallContext, 'principal' | 'token' | 'peer'>

/** Methods by kRPC for who brings a token: `tokenMethods`. */
export function accountMethods<C extends Cx>(
  hub: Hub, askers: Askers, callerOf: (cx: C) => Caller,
): KrpcTable<C, unknown> {
  return {
    whoami: method(object({}), async (_, cx: C) => {
      const { runtimeType, userType, ...others } = await whoami(hub, callerOf(cx), askers.of(cx))
      return { ...others, runtime_type: runtimeType, user_type: userType }
    }),
    list_sessions: method(object({ user: optional(word), after: optional(word) }), async (args, cx: C) => {
      callerOf(cx)
      const { sessions, more } = await listSessions(hub, askers.of(cx), args)
      return {
        sessions: sessions.map(({ runtimeType, createdMs, ...others }) =>
          ({ ...others, runtime_type: runtimeType, created_ms: createdMs })),
        more,
      }
    }),
    list_users: method(object({ after: optional(word) }), async ({ after }, cx: C) => {
      callerOf(cx)
      return listUsers(hub, askers.of(cx), after)
    }),
    revoke_session: method(object({ sid: word }), async ({ sid }, cx: C) => {
      callerOf(cx)
      return revokeSession(hub, askers.of(cx), sid)
    }),
    revoke_sessions: method(object({ user: word }), async ({ user }, cx: C) => {
      callerOf(cx)
      return revokeSessions(hub, askers.of(cx), user)
    }),
    set_password: method(
      object({ username: word, password: string(), old_password: optional(string()) }),
      async ({ username, password, old_password: oldPassword }, cx: C) => {
        await setPassword(hub, callerOf(cx), askers.of(cx), { username, password, oldPassword })
        return {}
      },
    ),
    unlock: method(object({ username: word }), async ({ username }, cx: C) => {
      callerOf(cx)
      await unlock(hub, askers.of(cx), username)
      return {}
    }),
    verify_session: method(object({ sid: word }), async ({ sid }, cx: C) => {
      askers.of(cx)
      return sessionState(hub, callerOf(cx), sid)
    }),
  }
}
