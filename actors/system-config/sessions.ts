import type { ActorStart, Authenticate, Peer, Principal } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { allowedBy, deniedBy, type ChainEntry } from '../../runtime/trust/denial.ts'
import { burn } from '../../runtime/trust/replay.ts'
import type { TokenUse } from '../../runtime/trust/token.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'
import { rulesFor } from '../trust-matrix.ts'
import type { Speaker } from '../rbac/access.ts'
import type { Trust } from './phase.ts'

/** A token that was verified on one link, and when that has to be done again. */
export interface Session {
  readonly speaker: Speaker
  readonly use: TokenUse
  readonly once: boolean
  /** Of the trust matrix. */
  readonly rule: string
  readonly kid: string
  readonly jti: string
  readonly expSeconds: number
  readonly generation: number
  readonly link: string
}

/** What a call brings of who makes it. */
export interface Caller {
  readonly principal: Principal
  readonly peer: Peer
  readonly token: string | undefined
}

export interface Sessions {
  readonly authenticate: Authenticate
  /** Of a call or a stream that goes on; verified again when it has expired or trust has changed. @throws Denied */
  current(cx: Caller): Session | Promise<Session>
}

type Start = Pick<ActorStart, 'keys' | 'clock' | 'store' | 'denials'>

/** Every token comes through here, and through `verifyToken`. */
export function createSessions(start: Start, trust: Trust): Sessions {
  const { clock, denials } = start
  const byLink = new Map<string, Map<string, Session | Promise<Session>>>()
  const bySpeaker = new WeakMap<object, Session>()
  const nowSeconds = (): number => Math.floor(clock.now() / 1000)
  const isCurrent = (session: Session): boolean =>
    session.generation === trust.generation && session.expSeconds > nowSeconds()

  /**
   * Calls at the same time share one verification: a token that is good once would refuse the second. Not so behind a
   * gateway, whose one link carries everybody's calls: there such a token is good for one call.
   */
  const sessionOf = (token: string, peer: Peer, link: string): Session | Promise<Session> => {
    const sessions = entry(byLink, link, () => new Map<string, Session | Promise<Session>>())
    const known = sessions.get(token)
    if (known && (known instanceof Promise || isCurrent(known))) return known
    const relayed = peer.runtimeType === 'gateway'
    const verifying = verify(start, trust, token, peer, link, known !== undefined).then(
      (session) => {
        if (!relayed || !session.once) remember(sessions, token, session)
        bySpeaker.set(session.speaker, session)
        return session
      },
      (error: unknown) => {
        sessions.delete(token)
        throw error
      },
    )
    if (!relayed) remember(sessions, token, verifying)
    return verifying
  }

  return {
    authenticate(token, peer, { link }) {
      const session = sessionOf(token, peer, link)
      return session instanceof Promise ? session.then(({ speaker }) => speaker) : session.speaker
    },
    current(cx) {
      const session = bySpeaker.get(cx.principal)
      if (!session || cx.token === undefined) {
        throw denials.denied([linked, deniedBy({
          layer: 'token', reason: 'token/absent', rule: '-', detail: `${cx.peer.actor} on ${cx.peer.host}`,
        })])
      }
      return isCurrent(session) ? session : sessionOf(cx.token, cx.peer, session.link)
    },
  }
}

const linked: ChainEntry = allowedBy('link', 'link/system-config')

/** What was allowed on the way to the policy. */
export const chainOf = (session: Session): readonly ChainEntry[] => [linked, allowedBy('token', session.rule)]

async function verify(
  { keys, clock, store, denials }: Start, trust: Trust, token: string, peer: Peer, link: string, again: boolean,
): Promise<Session> {
  const { generation, phase } = trust
  const nowSeconds = Math.floor(clock.now() / 1000)
  const verdict = await verifyToken(token, {
    keys, rules: rulesFor('system-config', phase), audience: 'system-config', nowSeconds, epoch: trust.epoch,
    trustKey: (kid) => trust.keys.find((key) => key.kid === kid),
    // A token that is good once is good for the link it came by, also when trust changed meanwhile
    burn: (id, expSeconds) => again ? Promise.resolve(true) : burn(store, id, expSeconds, nowSeconds),
  })
  if (!verdict.accepted) throw denials.denied([linked, deniedBy(verdict.denial)])
  const { claims, rule, key, principal } = verdict
  if (claims.cnf && claims.cnf.jkt !== peer.kid) {
    // RFC 7800 §3.1: proof of possession is the link, whose handshake this key signed
    throw denials.denied([linked, deniedBy({
      layer: 'token', reason: 'token/holder', rule: rule.id, detail: `${peer.actor} on ${peer.host}, sub ${claims.sub}`,
    })])
  }
  const speaker = { ...principal, root: rule.tokenUse === 'root' }
  return {
    // The link may keep the verdict until then: `current` looks at every call whether trust is still the same
    speaker: rule.once && peer.runtimeType === 'gateway' ? speaker : { ...speaker, expires: claims.exp * 1000 },
    use: rule.tokenUse, once: rule.once, rule: rule.id, kid: key.kid, jti: claims.jti, expSeconds: claims.exp,
    generation, link,
  }
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  remember(map, key, made)
  return made
}

/** The oldest gives way: who comes back with it is verified again. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  if (!map.has(key) && map.size >= limits.boundTokens) map.delete(map.keys().next().value!)
  map.set(key, value)
}
