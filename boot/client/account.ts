import { array, boolean, looseObject, nullable, nullish, number, optional, string, union } from 'valibot'
import { UnknownMethod } from '../../actors/krpc.ts'
import { limits } from '../../runtime/limits.ts'
import { LimitExceeded } from '../../runtime/errors.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { shapeOf } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

/** What verify-hub answers about who asks: accounts, sessions and passwords. */

const Whoami = looseObject({
  sub: string(), appid: string(), runtime_type: string(), sid: nullish(string()),
  aud: union([string(), array(string())]), exp: number(), user_type: nullish(string()), state: nullish(string()),
  sudo: boolean(),
})
export type Whoami = Infer<typeof Whoami>

const Session = looseObject({
  sid: string(), sub: string(), appid: string(), runtime_type: string(), host: nullable(string()),
  holder: nullable(string()), created_ms: number(), expires: number(), state: string(), reason: string(),
  current: boolean(),
})
export type SessionState = Infer<typeof Session>

const Page = looseObject({ sessions: array(Session), more: optional(boolean()) })
const Ended = looseObject({ ended: union([number(), boolean()]) })

const call = (client: ZoneClient, method: string, params: object): Promise<unknown> =>
  client.call('verify-hub', method, params).catch((error: unknown) => {
    if (!(error instanceof UnknownMethod)) throw error
    throw new UnknownMethod(error.message, { ...error.details, next: 'The zone is of an older version' })
  })

export const whoami = async (client: ZoneClient): Promise<Whoami> =>
  shapeOf(Whoami, await call(client, 'whoami', {}), 'who you are')

/** Of this user, or of who asks; page by page. @throws LimitExceeded */
export async function listSessions(client: ZoneClient, user: string | undefined): Promise<readonly SessionState[]> {
  const found: SessionState[] = []
  let after: string | undefined
  for (;;) {
    const params = { ...(user === undefined ? {} : { user }), ...(after === undefined ? {} : { after }) }
    const { sessions, more } = shapeOf(Page, await call(client, 'list_sessions', params), 'a list of sessions')
    found.push(...sessions)
    if (found.length > limits.clientSessions) {
      throw new LimitExceeded(`There are more sessions than ${limits.clientSessions}`, { next: 'Ask by --user' })
    }
    const last = sessions.at(-1)?.sid
    if (!more || last === undefined || last === after) return found
    after = last
  }
}

/** @returns whether it lived */
export const revokeSession = async (client: ZoneClient, sid: string): Promise<boolean> =>
  Boolean(shapeOf(Ended, await call(client, 'revoke_session', { sid }), 'the end of a session').ended)

/** @returns how many lived */
export const revokeSessions = async (client: ZoneClient, user: string): Promise<number> =>
  Number(shapeOf(Ended, await call(client, 'revoke_sessions', { user }), 'the end of sessions').ended)

export async function setPassword(
  client: ZoneClient, change: { user: string; password: string; old?: string },
): Promise<void> {
  const { user: username, password, old } = change
  await call(client, 'set_password', { username, password, ...(old === undefined ? {} : { old_password: old }) })
}

export async function unlock(client: ZoneClient, username: string): Promise<void> {
  await call(client, 'unlock', { username })
}
