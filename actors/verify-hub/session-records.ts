import type { Compare, Entry, Operation } from '../../runtime/store/store.ts'
import { tokenLifetimeSeconds } from '../../runtime/trust/token.ts'

/** What verify-hub's store holds of sessions: records, and the names that they lie under. */

/**
 * What makes one token pair. Tokens are signed from it whenever they are asked for: a signature is deterministic, so a
 * lost reply can be given again byte for byte, and the store holds nothing that a thief could present.
 */
export interface Issue {
  readonly sessionJti: string
  readonly refreshJti: string
  /** Epoch seconds. */
  readonly iat: number
  readonly aud: readonly string[]
  readonly runtimeType: string
  readonly epoch: number
  /** Of the key that signs it; issues of older sessions have none. */
  readonly kid?: string
}

/** A verify-hub login. */
export interface Session {
  readonly sid: string
  readonly sub: string
  readonly appid: string
  /** Host whose device key signed the login token; null for a password. */
  readonly host: string | null
  /** Thumbprint of the key that must hold its tokens; null for a cookie, which anyone could hold. */
  readonly holder: string | null
  readonly state: 'live' | 'ended'
  /** Why it ended. */
  readonly reason: string
  readonly createdMs: number
  /** Epoch seconds at which the newest refresh token, and so the session, expires. */
  readonly expires: number
  readonly issue: Issue
  /** The refresh token that `issue` replaced, while a retry of it may still ask for the same successor. */
  readonly before: { readonly refreshJti: string; readonly atMs: number } | null
}

/** One use of a login token: who used it and what it gave. */
export interface LoginUse {
  readonly holder: string
  readonly sid: string
  readonly issue: Issue
}

export interface Found {
  readonly session: Session
  readonly revision: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))
export const decode = <T>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T

/** An end that others must know of: until when a token of the session could be good elsewhere, in epoch seconds. */
export interface Ended {
  readonly sid: string
  readonly until: number
}

/** A session that lives, as its name in the store tells. */
export interface Living {
  readonly sid: string
  readonly sub: string
  readonly appid: string
  readonly host: string | null
}

/** Seconds in names sort as text, so what expires first comes first. */
const STAMP_LENGTH = 12
export const stamp = (seconds: number): string => String(seconds).padStart(STAMP_LENGTH, '0')
export const secondsOf = (prefix: string, key: string): number =>
  Number(key.slice(prefix.length, prefix.length + STAMP_LENGTH))
export const LOGINS = 'logins/'
export const DUE = 'due/'
/** By subject and app. The value of one that lives is its host, if it has one. */
export const LIVE = 'live/'
export const ENDED = 'ended/'
/** Ends that system-config has not been told of yet. */
export const OUTBOX = 'outbox/'
export const sessionKey = (sid: string): string => `sessions/${sid}`
/** An ended session is dead, known or not; its reason is kept for as long as a token of it may be asked about. */
const dueSeconds = (session: Session): number => (session.state === 'live' ? session.expires : tokensUntil(session))
export const dueKey = (session: Session): string => `${DUE}${stamp(dueSeconds(session))}/${session.sid}`
export const liveFolder = (session: Session): string => `${LIVE}${session.sub}/${session.appid}/`
export const nameOf = ({ sub, appid, sid }: Session): string => `${sub}/${appid}/${sid}`
export const endedKey = (session: Session): string => ENDED + nameOf(session)
export const liveKey = (session: Session): string => liveFolder(session) + session.sid
export const loginKey = (id: string, expires: number): string => `${LOGINS}${stamp(expires)}/${id}`

/** Expiry, in epoch seconds, up to which uses of login tokens were forgotten. */
export const SWEPT = 'swept'

/** Until when a session token of this session could be good, in epoch seconds. */
export const tokensUntil = ({ expires, issue }: Session): number =>
  Math.min(expires, issue.iat + tokenLifetimeSeconds.session)
export const outboxKey = (sid: string): string => OUTBOX + sid

export const sweptSeconds = (entry: Entry | undefined): number => (entry ? decode<number>(entry.value) : 0)
export const unchanged = (key: string, entry: Entry | undefined): Compare =>
  ({ key, modRevision: entry?.modRevision ?? 0 })

export const put = (key: string, value: unknown): Operation => ({ type: 'put', key, value: encode(value) })
export const remove = (key: string): Operation => ({ type: 'delete', key })
