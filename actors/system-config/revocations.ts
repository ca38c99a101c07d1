import { Compacted, Overloaded, WatchOverrun } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import type { Revoked } from './protocol.ts'

/** Beside `kv/`: nobody reads or writes it as configuration. The names sort by when they may be forgotten. */
const PREFIX = 'revoked/'
const STAMP_LENGTH = 12
const keyOf = ({ sid, until }: Revoked): string => `${PREFIX}${String(until).padStart(STAMP_LENGTH, '0')}/${sid}`
const nothing = new Uint8Array()

function revokedOf(key: string): Revoked {
  const end = PREFIX.length + STAMP_LENGTH
  return { sid: key.slice(end + 1), until: Number(key.slice(PREFIX.length, end)) }
}

/** Sessions that have ended before their tokens have. verify-hub says which; they outlive a restart of either. */
export interface Revocations {
  has(sid: string): boolean
  /** Those whose tokens may still be shown. */
  all(): readonly Revoked[]
  /**
   * Durable when it settles. Told to `onRevoked` before. `beside` is written with them. Answers with the revision;
   * undefined: they were there. @throws Overloaded
   */
  add(sessions: readonly Revoked[], beside?: readonly Operation[]): Promise<number | undefined>
  /** Another has written these. */
  learn(sessions: readonly Revoked[]): void
  /** All that are there now are known when it settles. */
  reload(): Promise<void>
}

/** `onRevoked` hears once of each that is not there yet, whoever writes it to the store. */
export async function openRevocations(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  onRevoked: (sessions: readonly Revoked[]) => void,
): Promise<Revocations & { follow(signal: AbortSignal): Promise<void> }> {
  const known = new Map<string, number>()
  /** Known, and not in the store yet. */
  const unwritten = new Set<string>()
  let revision = 0
  const forgottenUntil = (): number => Math.floor(clock.now() / 1000) - limits.revokedSeconds
  const learn = (sessions: readonly Revoked[]): readonly Revoked[] => {
    const fresh = sessions.filter(({ sid, until }) => (known.get(sid) ?? -1) < until)
    for (const { sid, until } of fresh) known.set(sid, until)
    return fresh
  }
  /** One that was told again, and lives longer, has another key. */
  const forget = ({ sid, until }: Revoked): void => {
    if (known.get(sid) === until) known.delete(sid)
  }
  const tell = (fresh: readonly Revoked[]): void => {
    if (fresh.length > 0) onRevoked(fresh)
  }
  const readAll = async (): Promise<readonly Revoked[]> => {
    const listed = await store.list(PREFIX, { keysOnly: true })
    revision = listed.revision
    const there = listed.entries.map(({ key }) => revokedOf(key))
    const sids = new Set(there.map(({ sid }) => sid))
    const before = forgottenUntil()
    for (const [sid, until] of known) if (until < before && !sids.has(sid)) known.delete(sid)
    return learn(there)
  }
  /** Forgets what is long over, a step with each write: more than is written, or the rest would only grow. */
  const overdue = async (written: number): Promise<Operation[]> => {
    const before = forgottenUntil()
    const { entries } = await store.list(PREFIX, { keysOnly: true, limit: written + limits.burnSweep })
    const old = entries.filter(({ key }) => revokedOf(key).until < before)
    for (const { key } of old) forget(revokedOf(key))
    return old.map(({ key }) => ({ type: 'delete', key }))
  }

  await readAll()
  return {
    has: (sid) => known.has(sid),
    all: () => [...known].map(([sid, until]) => ({ sid, until })),
    learn: (sessions) => tell(learn(sessions)),
    reload: async () => tell(await readAll()),
    async add(sessions, beside = []) {
      const fresh = sessions.filter(({ sid, until }) => unwritten.has(sid) || (known.get(sid) ?? -1) < until)
      if (fresh.length === 0) return undefined
      const forgotten = await overdue(fresh.length)
      if (known.size + fresh.length > limits.revocations) {
        throw new Overloaded(`Too many sessions were revoked lately: ${known.size}`)
      }
      // Refused from now on; when the write fails, verify-hub asks again
      for (const { sid } of fresh) unwritten.add(sid)
      tell(learn(fresh))
      const writes = fresh.map((one): Operation => ({ type: 'put', key: keyOf(one), value: nothing }))
      const { revision: written } = await store.transact([], [...forgotten, ...writes, ...beside])
      for (const { sid } of fresh) unwritten.delete(sid)
      return written
    },
    async follow(signal) {
      while (!signal.aborted) {
        try {
          for await (const event of store.watch(PREFIX, { after: revision, signal })) {
            revision = event.revision
            const { sid, until } = revokedOf(event.key)
            if (event.type === 'put') tell(learn([{ sid, until }]))
            // Whoever writes forgets for all
            else forget({ sid, until })
          }
        } catch (error) {
          if (!(error instanceof Compacted || error instanceof WatchOverrun)) throw error
          tell(await readAll())
        }
      }
    },
  }
}
