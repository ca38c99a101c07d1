import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Compare, Entry, Operation, Store } from '../../runtime/store/store.ts'
import { tokenLifetimeSeconds } from '../../runtime/trust/token.ts'

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

export interface Sessions {
  find(sid: string): Promise<Found | undefined>
  /**
   * `id` names the token once and for all; `expires` is the token's own, in epoch seconds. Forgotten: it expired before
   * the last sweep, and with a clock set back it cannot be told from a new one.
   */
  loginUse(id: string, expires: number): Promise<LoginUse | 'forgotten' | undefined>
  /**
   * The session and the use of its login token in one transaction: both, or neither and false, because the token was
   * used meanwhile. Then ends the oldest of more than `limits.sessionsPerApp`.
   */
  create(session: Session, login?: { readonly id: string; readonly expires: number }): Promise<boolean>
  /** False when somebody else wrote the session since it was found. */
  replace(found: Found, next: Session): Promise<boolean>
  /** A dead session id: no refresh, and verify says so at once. False when there was nothing alive. */
  end(sid: string, reason: string): Promise<boolean>
  /** Forgets what expired, and logins `limits.usedTokenSeconds` later; returns how many records went. */
  sweep(nowSeconds: number): Promise<number>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))
const decode = <T>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T

/** Seconds in names sort as text, so what expires first comes first. */
const STAMP_LENGTH = 12
const stamp = (seconds: number): string => String(seconds).padStart(STAMP_LENGTH, '0')
const secondsOf = (prefix: string, key: string): number =>
  Number(key.slice(prefix.length, prefix.length + STAMP_LENGTH))
const LOGINS = 'logins/'
const DUE = 'due/'
const sessionKey = (sid: string): string => `sessions/${sid}`
/** An ended session is dead, known or not; its reason is kept for as long as a token of it may be asked about. */
const dueSeconds = ({ state, expires, issue }: Session): number =>
  state === 'live' ? expires : Math.min(expires, issue.iat + tokenLifetimeSeconds.session)
const dueKey = (session: Session): string => `${DUE}${stamp(dueSeconds(session))}/${session.sid}`
const liveFolder = (session: Session): string => `live/${session.sub}/${session.appid}/`
const liveKey = (session: Session): string => liveFolder(session) + session.sid
const loginKey = (id: string, expires: number): string => `${LOGINS}${stamp(expires)}/${id}`

/** Expiry, in epoch seconds, up to which uses of login tokens were forgotten. */
const SWEPT = 'swept'

const sweptSeconds = (entry: Entry | undefined): number => (entry ? decode<number>(entry.value) : 0)
const unchanged = (key: string, entry: Entry | undefined): Compare => ({ key, modRevision: entry?.modRevision ?? 0 })

const put = (key: string, value: unknown): Operation => ({ type: 'put', key, value: encode(value) })
const remove = (key: string): Operation => ({ type: 'delete', key })

/** Every question goes to the store, so that OODs that share one see each other's answers at once. */
export function openSessions(store: Store): Sessions {
  const find = async (sid: string): Promise<Found | undefined> => {
    const entry = await store.get(sessionKey(sid))
    return entry && { session: decode<Session>(entry.value), revision: entry.modRevision }
  }

  const replace = async ({ session, revision }: Found, next: Session): Promise<boolean> => {
    const same = { key: sessionKey(session.sid), modRevision: revision }
    return (await store.transact([same], rewrite(session, next))).succeeded
  }

  const end = async (sid: string, reason: string): Promise<boolean> => {
    for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
      const found = await find(sid)
      if (!found || found.session.state === 'ended') return false
      if (await replace(found, ended(found.session, reason))) return true
    }
    throw new Overloaded(`Others kept writing the session: ${sid}`)
  }

  return {
    find,
    replace,
    async loginUse(id, expires) {
      const [entry, swept] = await Promise.all([store.get(loginKey(id, expires)), store.get(SWEPT)])
      if (entry) return decode<LoginUse>(entry.value)
      return expires <= sweptSeconds(swept) ? 'forgotten' : undefined
    },
    async create(session, login) {
      const compare: Compare[] = [{ key: sessionKey(session.sid), modRevision: 0 }]
      const operations = [put(sessionKey(session.sid), session), put(dueKey(session), ''), put(liveKey(session), '')]
      if (login) {
        const use: LoginUse = { holder: session.holder ?? '', sid: session.sid, issue: session.issue }
        // A sweep since `loginUse` may have forgotten a use of this very token
        const swept = await store.get(SWEPT)
        if (login.expires <= sweptSeconds(swept)) return false
        compare.push({ key: loginKey(login.id, login.expires), modRevision: 0 }, unchanged(SWEPT, swept))
        operations.push(put(loginKey(login.id, login.expires), use))
      }
      if (!(await store.transact(compare, operations)).succeeded) return false
      // Logins at the same time may each have ended the same ones: look until there are no more than may be
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const excess = await oldest(store, session)
        if (excess.length === 0) break
        for (const sid of excess) await end(sid, 'replaced by a newer login')
      }
      return true
    },
    end,
    sweep: (nowSeconds) => sweep(store, nowSeconds),
  }
}

const ended = (session: Session, reason: string): Session => ({ ...session, state: 'ended', reason, before: null })

/** An ended session stays readable, with its reason, until its session tokens would have expired. */
function rewrite(session: Session, next: Session): Operation[] {
  const operations = [put(sessionKey(next.sid), next)]
  if (dueKey(next) !== dueKey(session)) operations.push(remove(dueKey(session)), put(dueKey(next), ''))
  if (next.state === 'ended' && session.state === 'live') operations.push(remove(liveKey(session)))
  return operations
}

/** Those of its subject and app that are one too many. The clock may jump; revisions do not. */
async function oldest(store: Store, session: Session): Promise<string[]> {
  const folder = liveFolder(session)
  const { entries } = await store.list(folder, { limit: limits.sessionSweep })
  return [...entries]
    .sort((a, b) => a.createRevision - b.createRevision)
    .slice(0, Math.max(0, entries.length - limits.sessionsPerApp))
    .map(({ key }) => key.slice(folder.length))
}

/** The names sort by expiry, so that a sweep reads what is due and no more. */
async function sweep(store: Store, nowSeconds: number): Promise<number> {
  const due = async (prefix: string, untilSeconds: number): Promise<string[]> => {
    const { entries } = await store.list(prefix, { limit: limits.sessionSweep })
    return entries.map(({ key }) => key).filter((key) => secondsOf(prefix, key) <= untilSeconds)
  }
  // Read first: what another sweep forgets from now on fails ours, which may know of less
  const swept = await store.get(SWEPT)
  const logins = await due(LOGINS, nowSeconds - limits.usedTokenSeconds)
  const last = logins.at(-1)
  if (last !== undefined) {
    const until = Math.max(sweptSeconds(swept), secondsOf(LOGINS, last))
    await store.transact([unchanged(SWEPT, swept)], [put(SWEPT, until), ...logins.map(remove)])
  }
  const sessions = await due(DUE, nowSeconds)
  for (const key of sessions) {
    const sid = key.slice(key.lastIndexOf('/') + 1)
    const entry = await store.get(sessionKey(sid))
    const records = entry ? [sessionKey(sid), liveKey(decode<Session>(entry.value))] : []
    // Unless a refresh that began in time has just moved it
    await store.transact([unchanged(sessionKey(sid), entry)], [key, ...records].map(remove))
  }
  return logins.length + sessions.length
}
