import type { ActorStart, Peer } from '../../runtime/actor.ts'
import { LeaseExpired, messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { integer, number, object, pipe, string, type Infer } from '../../runtime/protocol.ts'
import type { Entry, Lease } from '../../runtime/store/store.ts'
import { readRecord } from '../records.ts'
import { Fenced, type Led } from './protocol.ts'
import type { BoundTo } from './transaction.ts'

/** Beside `kv/`: nobody reads or writes it as configuration. */
const PREFIX = 'leaders/'
const keyOf = (name: string): string => PREFIX + name

const count = pipe(number(), integer())
/** Who leads. Written once a term, so that the revision of the entry is the term. */
const Leader = object({ host: string(), kid: string(), incarnation: count, ttlMs: count })
type Leader = Infer<typeof Leader>

interface Held extends Pick<Peer, 'kid' | 'incarnation'> {
  readonly term: number
  readonly lease: Lease
}

/** A term that a transaction is bound to: it goes through while that term lasts, and never after. */
export interface Fence {
  readonly name: string
  readonly term: number
}

/** One leader a name in the whole store, by a lease that this host keeps for an actor of its own. */
export interface Leaders {
  /** Renews the term of this actor, or begins one where nobody leads. @throws Unavailable */
  lead(name: string, peer: Peer): Promise<Led>
  /** Ends the term of this actor, if it has one: another may lead at once. */
  resign(name: string, peer: Peer): Promise<void>
  bind(fence: Fence): BoundTo
}

export function createLeaders({ store, self, log }: Pick<ActorStart, 'store' | 'self' | 'log'>): Leaders {
  const held = new Map<string, Held>()
  const turns = new Map<string, Promise<unknown>>()
  /** Of one name one at a time. */
  const inTurn = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const next = (turns.get(name) ?? Promise.resolve()).then(work)
    turns.set(name, next.catch(() => {}))
    return next
  }
  const revoke = async (lease: Lease): Promise<void> => {
    // It ends by itself where this does not get through
    await lease.revoke().catch((error: unknown) => log.warn(`A lease was not given back: ${messageOf(error)}`))
  }

  /** Undefined: the term is over, or was never its own. */
  const renewed = async (name: string, peer: Peer): Promise<Led | undefined> => {
    const mine = held.get(name)
    if (!mine || mine.kid !== peer.kid) return undefined
    const [alive, entry] = await Promise.all([keptAlive(mine.lease), store.get(keyOf(name))])
    if (alive && entry?.modRevision === mine.term) return leads(mine, self.host)
    held.delete(name)
    return undefined
  }
  const begun = async (name: string, peer: Peer): Promise<Led> => {
    const entry = await store.get(keyOf(name))
    const before = held.get(name)
    // Of an incarnation that has ended, whose call was late
    const isLate = before !== undefined && before.kid !== peer.kid && before.incarnation > peer.incarnation
    // One process runs a host, and one incarnation of each of its actors: what led here before has ended
    if (entry && (leaderIn(entry).host !== self.host || isLate)) return follows(entry)
    const lease = await store.grant(limits.leaderLeaseMs)
    const { kid, incarnation } = peer
    const leader: Leader = { host: self.host, kid, incarnation, ttlMs: lease.ttlMs }
    const result = await store.transact(
      [{ key: keyOf(name), modRevision: entry?.modRevision ?? 0 }],
      [{ type: 'put', key: keyOf(name), value: encoder.encode(JSON.stringify(leader)), lease: lease.id }],
    )
    if (!result.succeeded) {
      await revoke(lease)
      const [found] = result.found
      return found ? follows(found) : { leads: false, term: 0, host: '', ttlMs: 0 }
    }
    const mine: Held = { term: result.revision, lease, kid, incarnation }
    held.set(name, mine)
    // Nothing is attached to it any more
    if (before) await revoke(before.lease)
    return leads(mine, self.host)
  }

  return {
    lead: (name, peer) => inTurn(name, async () => await renewed(name, peer) ?? begun(name, peer)),
    resign: (name, peer) => inTurn(name, async () => {
      const mine = held.get(name)
      if (!mine || mine.kid !== peer.kid) return
      held.delete(name)
      await revoke(mine.lease)
    }),
    bind({ name, term }) {
      const key = keyOf(name)
      const check = (entry: Entry | undefined): void => {
        if (entry?.modRevision === term) return
        const leader = entry ? leaderIn(entry).host : ''
        throw new Fenced(`The term is over: ${name} ${term}; ${leader === '' ? 'nobody leads' : `${leader} leads`}`, {
          name, term, leader, leaderTerm: entry?.modRevision ?? 0,
        })
      }
      return { compare: { key, modRevision: term }, check, checkNow: async () => check(await store.get(key)) }
    },
  }
}

const encoder = new TextEncoder()

async function keptAlive(lease: Lease): Promise<boolean> {
  try {
    await lease.keepAlive()
    return true
  } catch (error) {
    if (!(error instanceof LeaseExpired)) throw error
    return false
  }
}

const leaderIn = ({ key, value }: Entry): Leader => readRecord(Leader, key, new TextDecoder().decode(value))
const leads = ({ term, lease: { ttlMs } }: Held, host: string): Led => ({ leads: true, term, host, ttlMs })
const follows = (entry: Entry): Led => {
  const { host, ttlMs } = leaderIn(entry)
  return { leads: false, term: entry.modRevision, host, ttlMs }
}
