import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Compare, Operation, Store } from '../../runtime/store/store.ts'
import {
  decode, DUE, dueKey, ENDED, endedKey, LIVE, liveFolder, liveKey, loginKey, LOGINS, nameOf, OUTBOX, outboxKey, put,
  remove, secondsOf, sessionKey, SWEPT, sweptSeconds, tokensUntil, unchanged, type Ended, type Found, type Living,
  type LoginUse, type Session,
} from './session-records.ts'
import { createSharedTurns } from './turns.ts'

export type { Found, Issue, LoginUse, Session } from './session-records.ts'

export interface Page {
  readonly sessions: readonly Session[]
  readonly more: boolean
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
  /**
   * A dead session id: no refresh, and verify says so at once. That others are to be told stands in the outbox from the
   * same transaction on. False when there was nothing alive.
   */
  end(sid: string, reason: string): Promise<boolean>
  /** Ends that others were not told of yet, so many at most; of these sessions, if some are named. */
  untold(sids?: readonly string[]): Promise<readonly Ended[]>
  told(sids: readonly string[]): Promise<void>
  /** All that live, of one subject or of all, in pages behind the scenes. */
  living(sub?: string): AsyncIterable<Living>
  /** Those of one subject, or of all, that live or have ended and are not forgotten, behind this one. */
  page(sub: string | undefined, after: Session | undefined): Promise<Page>
  /** Forgets what expired, and logins `limits.usedTokenSeconds` later; returns how many records went. */
  sweep(nowSeconds: number): Promise<number>
}

/**
 * Every question goes to the store, so that OODs that share one see each other's answers at once. `onEnded`: a login
 * has ended others, and nobody waits until that was told.
 */
export function openSessions(store: Store, onEnded: () => void = () => {}): Sessions {
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

  /** Ends the oldest of more than may be, together; where another writes one of them meanwhile, one by one. */
  const trim = async (session: Session): Promise<void> => {
    // Other OODs may have ended the same ones: look until there are no more than may be
    for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
      const excess = await oldest(store, session)
      if (excess.length === 0) return
      const found = (await Promise.all(excess.slice(0, ENDED_AT_ONCE).map(find))).filter((one) => one !== undefined)
      const reason = 'replaced by a newer login'
      const { succeeded } = await store.transact(
        found.map(({ session: { sid }, revision }) => ({ key: sessionKey(sid), modRevision: revision })),
        found.flatMap(({ session: old }) => rewrite(old, ended(old, reason))),
      )
      if (!succeeded) for (const sid of excess) await end(sid, reason)
      onEnded()
    }
  }
  const trims = createSharedTurns()

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
      const operations = [
        put(sessionKey(session.sid), session), put(dueKey(session), ''), put(liveKey(session), session.host ?? ''),
      ]
      if (login) {
        const use: LoginUse = { holder: session.holder ?? '', sid: session.sid, issue: session.issue }
        // A sweep since `loginUse` may have forgotten a use of this very token
        const swept = await store.get(SWEPT)
        if (login.expires <= sweptSeconds(swept)) return false
        compare.push({ key: loginKey(login.id, login.expires), modRevision: 0 }, unchanged(SWEPT, swept))
        operations.push(put(loginKey(login.id, login.expires), use))
      }
      if (!(await store.transact(compare, operations)).succeeded) return false
      await trims.run(liveFolder(session), () => trim(session))
      return true
    },
    end,
    async untold(sids) {
      if (sids === undefined) {
        const { entries } = await store.list(OUTBOX, { limit: limits.revocationsAtOnce })
        return entries.map(({ value }) => decode<Ended>(value))
      }
      const entries = await Promise.all(sids.map((sid) => store.get(outboxKey(sid))))
      return entries.flatMap((entry) => (entry ? [decode<Ended>(entry.value)] : []))
    },
    async told(sids) {
      await store.transact([], sids.map((sid) => remove(outboxKey(sid))))
    },
    living: (sub) => living(store, sub === undefined ? LIVE : `${LIVE}${sub}/`),
    page: (sub, after) => page(store, sub === undefined ? '' : `${sub}/`, after),
    sweep: (nowSeconds) => sweep(store, nowSeconds),
  }
}

/** Each takes up to six operations of a transaction. */
const ENDED_AT_ONCE = Math.floor(limits.transactionOperations / 6)

const ended = (session: Session, reason: string): Session => ({ ...session, state: 'ended', reason, before: null })

/** An ended session stays readable, with its reason, until its session tokens would have expired. */
function rewrite(session: Session, next: Session): Operation[] {
  const operations = [put(sessionKey(next.sid), next)]
  if (dueKey(next) !== dueKey(session)) operations.push(remove(dueKey(session)), put(dueKey(next), ''))
  if (next.state === 'ended' && session.state === 'live') {
    operations.push(remove(liveKey(session)), put(endedKey(next), ''))
    operations.push(put(outboxKey(next.sid), { sid: next.sid, until: tokensUntil(next) } satisfies Ended))
  }
  return operations
}

async function* living(store: Store, folder: string): AsyncIterable<Living> {
  for (let after = ''; ;) {
    const { entries, more } = await store.list(folder, { after, limit: limits.sessionSweep })
    for (const { key, value } of entries) {
      const [sub = '', appid = '', sid = ''] = key.slice(LIVE.length).split('/')
      yield { sub, appid, sid, host: decode<string>(value) || null }
    }
    if (!more) return
    after = entries.at(-1)!.key
  }
}

/** Both folders in one order, which does not change when a session ends. */
async function page(store: Store, below: string, after: Session | undefined): Promise<Page> {
  const limit = limits.sessionPage
  const names = new Set<string>()
  let more = false
  for (const folder of [LIVE, ENDED]) {
    const start = after && { after: folder + nameOf(after) }
    const { entries, more: others } = await store.list(folder + below, { ...start, limit, keysOnly: true })
    for (const { key } of entries) names.add(key.slice(folder.length))
    more ||= others
  }
  const sorted = [...names].sort()
  const sessions: Session[] = []
  for (const name of sorted.slice(0, limit)) {
    const entry = await store.get(sessionKey(name.slice(name.lastIndexOf('/') + 1)))
    // It may have been swept since
    if (entry) sessions.push(decode<Session>(entry.value))
  }
  return { sessions, more: more || sorted.length > limit }
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

const namesOf = (session: Session): string[] => [sessionKey(session.sid), liveKey(session), endedKey(session)]

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
    const session = entry && decode<Session>(entry.value)
    // A refresh that began in time may have moved it since the list, or do so now
    const records = session && dueKey(session) === key ? namesOf(session) : []
    await store.transact([unchanged(sessionKey(sid), entry)], [key, ...records].map(remove))
  }
  return logins.length + sessions.length
}
