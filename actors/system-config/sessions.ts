import type { ActorStart, Authenticate, Peer, Principal } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import { allowedBy, deniedBy, type ChainEntry, type DenialReason } from '../../runtime/trust/denial.ts'
import { burn } from '../../runtime/trust/replay.ts'
import type { TokenUse, TrustKey } from '../../runtime/trust/token.ts'
import { trustKeyOf } from '../../runtime/trust/keys.ts'
import { verifyToken } from '../../runtime/trust/verify.ts'
import type { Speaker } from '../rbac/access.ts'
import { isName, kv, readRecord, UserDocument, UserSettings } from '../records.ts'
import { isReserved, rulesFor } from '../trust-matrix.ts'
import type { Trust } from './phase.ts'
import type { Records } from './records.ts'
import type { Revocations } from './revocations.ts'

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

export interface SessionsOptions {
  readonly start: Pick<ActorStart, 'keys' | 'clock' | 'store' | 'denials'>
  readonly trust: Trust
  readonly records: Pick<Records, 'get'>
  readonly revocations: Pick<Revocations, 'has'>
  /** True, or settles when what is known is new enough to decide by. @throws Unavailable */
  readonly fresh: () => true | Promise<void>
}

/** Every token comes through here, and through `verifyToken`. */
export function createSessions(options: SessionsOptions): Sessions {
  const { start: { clock, denials }, trust, revocations } = options
  const byLink = new Map<string, Map<string, Session | Promise<Session>>>()
  const bySpeaker = new WeakMap<object, Session>()
  const nowSeconds = (): number => Math.floor(clock.now() / 1000)
  const isCurrent = ({ generation, expSeconds, speaker: { sid } }: Session): boolean =>
    generation === trust.generation && expSeconds > nowSeconds() && (sid === undefined || !revocations.has(sid))

  /**
   * Calls at the same time share one verification: a token that is good once would refuse the second. Such a token is
   * good for one call, and shared by none, behind a gateway, whose one link carries everybody's calls, and for sudo.
   */
  const sessionOf = (token: string, peer: Peer, link: string): Session | Promise<Session> => {
    const sessions = entry(byLink, link, () => new Map<string, Session | Promise<Session>>())
    const known = sessions.get(token)
    const relayed = peer.runtimeType === 'gateway'
    if (known instanceof Promise) {
      return known.then((session) =>
        isForOneCall(session, relayed) ? verify(options, token, peer, link, false) : session)
    }
    if (known && isCurrent(known)) return known
    const verifying = verify(options, token, peer, link, known !== undefined).then(
      (session) => {
        if (!isForOneCall(session, relayed)) remember(sessions, token, session)
        else sessions.delete(token)
        bySpeaker.set(session.speaker, session)
        return session
      },
      (error: unknown) => {
        sessions.delete(token)
        throw error
      },
    )
    remember(sessions, token, verifying)
    return verifying
  }

  const current = (cx: Caller): Session | Promise<Session> => {
    const session = bySpeaker.get(cx.principal)
    if (!session || cx.token === undefined) {
      throw denials.denied([linked, deniedBy({
        layer: 'token', reason: 'token/absent', rule: '-', detail: `${cx.peer.actor} on ${cx.peer.host}`,
      })])
    }
    return isCurrent(session) ? session : sessionOf(cx.token, cx.peer, session.link)
  }

  return {
    authenticate(token, peer, { link }) {
      const session = sessionOf(token, peer, link)
      return session instanceof Promise ? session.then(({ speaker }) => speaker) : session.speaker
    },
    current(cx) {
      const fresh = options.fresh()
      return fresh === true ? current(cx) : fresh.then(() => current(cx))
    },
  }
}

const isForOneCall = ({ once, use }: Pick<Session, 'once' | 'use'>, relayed: boolean): boolean =>
  once && (relayed || use === 'sudo')

const linked: ChainEntry = allowedBy('link', 'link/system-config')

/** What was allowed on the way to the policy. */
export const chainOf = (session: Session): readonly ChainEntry[] => [linked, allowedBy('token', session.rule)]

async function verify(
  { start: { keys, clock, store, denials }, trust, records, revocations }: SessionsOptions,
  token: string, peer: Peer, link: string, again: boolean,
): Promise<Session> {
  const { generation, phase } = trust
  const nowSeconds = Math.floor(clock.now() / 1000)
  const verdict = await verifyToken(token, {
    keys, rules: rulesFor('system-config', phase), audience: 'system-config', nowSeconds, epoch: trust.epoch,
    isRevoked: revocations.has,
    trustKey: (kid, { iss }) =>
      trust.keys.find((key) => key.kid === kid) ?? (phase === 'boot' ? undefined : userKey(keys, records, iss)),
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
  const refuse = (reason: DenialReason, detail: string): Error =>
    denials.denied([linked, deniedBy({ layer: 'token', reason, rule: rule.id, detail })])
  const { tokenUse: use, once } = rule
  if (use === 'sudo' && !await isActive(records, claims.sub)) throw refuse('login/user', `user ${claims.sub}`)
  const speaker = { ...principal, root: use === 'root' }
  return {
    // The link may keep the verdict until then: `current` looks at every call whether trust is still the same
    speaker: isForOneCall({ once, use }, peer.runtimeType === 'gateway') ? speaker
      : { ...speaker, expires: claims.exp * 1000 },
    use, once, rule: rule.id, kid: key.kid, jti: claims.jti, expSeconds: claims.exp,
    generation, link,
  }
}

/** The key of a user, for sudo. Only of one whose document is there; root or that user wrote it. */
async function userKey(keys: Keys, records: Pick<Records, 'get'>, name: string): Promise<TrustKey | undefined> {
  if (!isName(name) || isReserved(name)) return undefined
  const key = kv.userDocument(name)
  const record = await records.get(key)
  if (!record) return undefined
  const document = readRecord(UserDocument, key, record.value)
  return document.name === name ? trustKeyOf(keys, document.key, key, name) : undefined
}

async function isActive(records: Pick<Records, 'get'>, name: string): Promise<boolean> {
  const record = await records.get(kv.user(name))
  if (!record) return false
  const settings = readRecord(UserSettings, kv.user(name), record.value)
  return settings.name === name && settings.state === 'active'
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
