import type { Handlers } from '../../runtime/actor.ts'
import type { Speaker } from '../rbac/access.ts'
import { segmentsOf, isScheme } from '../rbac/path.ts'
import { parseKey } from './key-path.ts'
import { POLICY_KEY } from './permission.ts'
import type { SystemConfig } from './protocol.ts'
import type { State } from './state.ts'

type Explaining = Pick<Handlers<typeof SystemConfig, {}>, 'explain'>

/** A user learns why about the own sessions; about others, who may read the policy. */
export function explaining({ access, permission, sessions }: State): Explaining {
  return {
    async explain({ key: text, act, sub, appid, runtimeType, sudo }, cx) {
      const { speaker: own } = await sessions.current(cx)
      const path = pathOf(text)
      const other = sub !== undefined && sub !== own.sub
      const about: Speaker = {
        sub: sub ?? own.sub, appid: appid ?? own.appid, runtimeType: runtimeType ?? (other ? 'user' : own.runtimeType),
        sudo: sudo ?? (!other && own.sudo), root: own.root && sub === undefined && appid === undefined,
      }
      const isOwn = about.sub === own.sub && about.appid === own.appid && about.runtimeType === own.runtimeType
      if (!isOwn) await permission.read(cx, POLICY_KEY)
      const all = access.decide(own, 'read', POLICY_KEY).allowed
      return { explanation: access.explain(about, act, path, all) }
    },
  }
}

/** A key, a folder, all of a scheme. @throws InvalidKey */
function pathOf(text: string): string {
  const segments = segmentsOf(text)
  const [scheme, rest] = isScheme(segments[0]!) ? [segments[0]!, segments.slice(1)] : ['', segments]
  const path = rest.join('/')
  if (path !== '') parseKey(path.endsWith('/') ? path.slice(0, -1) : path)
  return scheme + path
}
