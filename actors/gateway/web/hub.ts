import { safeParse } from 'valibot'
import { Internal } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { integer, number, object, pipe, string, type Client, type Infer } from '../../../runtime/protocol.ts'
import type { VerifyHub } from '../../verify-hub/protocol.ts'

const seconds = pipe(number(), integer())
const PairShape = object({
  session_token: string(), refresh_token: string(), session_expires: seconds, refresh_expires: seconds,
})
export type Pair = Infer<typeof PairShape>

/**
 * verify-hub, by the door of those who come by HTTP: whoever holds a cookie has shown no key, and the key of the
 * gateway's own link must not count as theirs.
 */
export interface HubDoor {
  /** @throws InvalidPassword, LoginLocked, Denied */
  login(user: { username: string; password: string; appid: string }): Promise<Pair>
  /** @throws Denied */
  refresh(refreshToken: string): Promise<Pair>
  /** @throws Denied */
  logout(refreshToken: string): Promise<void>
}

export function hubDoor(verifyHub: Client<typeof VerifyHub>): HubDoor {
  const ask = async (method: string, params: object): Promise<unknown> =>
    (await verifyHub.krpc({ method, params }, { withinMs: limits.gatewayCallMs })).result
  const refreshing = new Map<string, Promise<Pair>>()
  return {
    login: async (user) => pairIn(await ask('login_by_password', { type: 'password', audiences: [], ...user })),
    refresh(refreshToken) {
      // The tabs of one browser find out at the same moment that their session is over: one rotation serves them all
      const running = refreshing.get(refreshToken)
      if (running) return running
      const pair = ask('refresh_token', { refresh_token: refreshToken }).then(pairIn)
        .finally(() => refreshing.delete(refreshToken))
      refreshing.set(refreshToken, pair)
      return pair
    },
    logout: async (refreshToken) => void await ask('logout', { refresh_token: refreshToken }),
  }
}

/** There is more in it, which is none of a cookie's business. */
function pairIn(result: unknown): Pair {
  const { session_token, refresh_token, session_expires, refresh_expires } = (result ?? {}) as Partial<Pair>
  const pair = safeParse(PairShape, { session_token, refresh_token, session_expires, refresh_expires })
  if (!pair.success) throw new Internal('verify-hub gave no token pair')
  return pair.output
}
