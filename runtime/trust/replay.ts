import { limits } from '../limits.ts'
import type { Entry, Operation, Store } from '../store/store.ts'

/** `used` answers, `expiry` orders the same ids by when they may be forgotten, `swept` says up to when they were. */
const USED = 'jti/used/'
const EXPIRY = 'jti/expiry/'
const SWEPT = 'jti/swept'
/** Fixed width, so that the order of the keys is the order of time. */
const EXPIRY_DIGITS = 16

const decoder = new TextDecoder()
const encoder = new TextEncoder()
const nothing = new Uint8Array()

/**
 * Marks a token as used: true for the first to come, false for every other, across restarts and for ever. Only signed
 * tokens of limited lifetime come here, so the ledger holds what lives, and for `limits.usedTokenSeconds` what lived.
 * The mark and, once `limits.burnSweep` may be forgotten, their sweep are one transaction.
 */
export async function burn(store: Store, id: string, expSeconds: number, nowSeconds: number): Promise<boolean> {
  if (expSeconds <= nowSeconds) return false
  const absent = { key: USED + id, modRevision: 0 }
  const marks: Operation[] = [
    { type: 'put', key: absent.key, value: encoder.encode(String(expSeconds)) },
    { type: 'put', key: `${EXPIRY}${String(expSeconds).padStart(EXPIRY_DIGITS, '0')}/${id}`, value: nothing },
  ]
  const [swept, oldest] = await Promise.all([store.get(SWEPT), store.list(EXPIRY, { limit: limits.burnSweep })])
  const sweptSeconds = secondsSwept(swept)
  if (expSeconds <= sweptSeconds) return false
  const sweep = sweepOf(oldest.entries, nowSeconds - limits.usedTokenSeconds, sweptSeconds)
  if (sweep.length > 0) {
    const result = await store.transact(
      [absent, { key: SWEPT, modRevision: swept?.modRevision ?? 0 }], [...marks, ...sweep],
    )
    if (result.succeeded) return true
    // Used before, or another has swept meanwhile: the next line tells.
  }
  const { succeeded } = await store.transact([absent], marks)
  // What was forgotten cannot be told from what is new. Asked last, so that no sweep can come between.
  return succeeded && expSeconds > secondsSwept(await store.get(SWEPT))
}

const secondsSwept = (entry: Entry | undefined): number => (entry ? Number(decoder.decode(entry.value)) : 0)

/** Nothing until a full step has expired long ago: then as many burns have shared its cost. */
function sweepOf(oldest: readonly Entry[], untilSeconds: number, sweptSeconds: number): readonly Operation[] {
  const newest = oldest.at(-1)
  if (!newest || oldest.length < limits.burnSweep || secondsOf(newest.key) > untilSeconds) return []
  const deletes = oldest.flatMap(({ key }): Operation[] => [
    { type: 'delete', key },
    { type: 'delete', key: USED + key.slice(EXPIRY.length + EXPIRY_DIGITS + 1) },
  ])
  // Never back: a clock that was set back leaves entries older than what was swept before.
  const until = Math.max(sweptSeconds, secondsOf(newest.key))
  return [...deletes, { type: 'put', key: SWEPT, value: encoder.encode(String(until)) }]
}

const secondsOf = (key: string): number => Number(key.slice(EXPIRY.length, EXPIRY.length + EXPIRY_DIGITS))
