import { InvalidArgument, Overloaded, RevisionMismatch } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { Compare, Entry, Operation } from '../../runtime/store/store.ts'
import { setByPath } from './json-path.ts'
import { parseKey } from './key-path.ts'
import { InvalidKey, KeyExists, KeyNotFound, type Action } from './protocol.ts'
import type { Guard, KvRecord, Records, Write } from './records.ts'
import { checkWritten } from './written.ts'

export type KvAction = Infer<typeof Action>

/** What a transaction is bound to: a term that has to last. */
export interface BoundTo {
  readonly compare: Compare
  /** @throws Fenced unless this, which the compare found, is that term */
  check(found: Entry | undefined): void
  /** The same of what is there now. */
  checkNow(): Promise<void>
}

export interface Bound {
  readonly fence?: BoundTo | undefined
  /** What is written with it, and is none of `kv://`. */
  readonly beside?: readonly Operation[]
}

/** @throws InvalidKey when a key is none, or is named twice */
export function parseActions(named: Readonly<Record<string, KvAction>>): Map<string, KvAction> {
  const actions = new Map<string, KvAction>()
  for (const [text, action] of Object.entries(named)) {
    const key = parseKey(text)
    if (actions.has(key)) throw new InvalidKey(`The transaction names a key twice: ${key}`)
    actions.set(key, action)
  }
  return actions
}

/** @throws InvalidArgument */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgument('The value is not JSON')
  }
}

/**
 * All actions at one revision, or none. What an action was computed from is compared when it is committed, and when
 * another writer was faster it is computed again from what that writer left: nothing is lost.
 *
 * @returns the revision
 * @throws RevisionMismatch when the key of `mainKey` is at another revision
 * @throws KeyExists, KeyNotFound, InvalidPath, Overloaded, Fenced
 */
export async function execute(
  records: Records, actions: ReadonlyMap<string, KvAction>, mainKey?: Guard, bound: Bound = {},
): Promise<number> {
  const { fence, beside = [] } = bound
  if (actions.size === 0) throw new InvalidArgument('The transaction has no actions')
  const most = limits.transactionOperations - beside.length
  if (actions.size > most) {
    throw new InvalidArgument(`A transaction has at most ${most} actions: ${actions.size}`)
  }
  const joined = { compare: fence ? [fence.compare] : [], operations: beside }
  const found = await readFirst(records, actions, mainKey)
  for (let attempt = 0; attempt < limits.writeAttempts; attempt++) {
    const { guards, writes } = await planned(actions, found, mainKey, fence)
    const result = await records.commit(guards, writes, joined)
    if (result.succeeded) return result.revision
    fence?.check(result.beside[0])
    guards.forEach(({ key }, index) => found.set(key, result.found[index]))
  }
  throw new Overloaded(`Other writers were faster ${limits.writeAttempts} times`)
}

/** A key that is to be created is taken to be absent until the commit says otherwise. */
async function readFirst(
  records: Records, actions: ReadonlyMap<string, KvAction>, mainKey: Guard | undefined,
): Promise<Map<string, KvRecord | undefined>> {
  const keys = new Set([...actions].filter(([, { action }]) => action !== 'create').map(([key]) => key))
  if (mainKey) keys.add(mainKey.key)
  return new Map(await Promise.all([...keys].map(async (key) => [key, await records.get(key)] as const)))
}

/** Whoever leads no more is told that first: what it has read may be old. */
async function planned(
  actions: ReadonlyMap<string, KvAction>, found: ReadonlyMap<string, KvRecord | undefined>, mainKey: Guard | undefined,
  fence: BoundTo | undefined,
): Promise<{ guards: Guard[]; writes: Write[] }> {
  try {
    return plan(actions, found, mainKey)
  } catch (error) {
    await fence?.checkNow()
    throw error
  }
}

function plan(
  actions: ReadonlyMap<string, KvAction>, found: ReadonlyMap<string, KvRecord | undefined>, mainKey: Guard | undefined,
): { guards: Guard[]; writes: Write[] } {
  const guards: Guard[] = []
  if (mainKey) {
    const actual = found.get(mainKey.key)?.revision ?? 0
    if (actual !== mainKey.revision) throw revisionMismatch(mainKey, actual)
    guards.push(mainKey)
  }
  const writes: Write[] = []
  for (const [key, action] of actions) {
    const current = found.get(key)
    const write = writeOf(key, action, current)
    checkWritten(write)
    writes.push(write)
    if (key !== mainKey?.key) guards.push({ key, revision: current?.revision ?? 0 })
  }
  return { guards, writes }
}

function writeOf(key: string, action: KvAction, current: KvRecord | undefined): Write {
  if (action.action === 'create') {
    if (current) throw new KeyExists(`The key exists: ${key}`, { key, revision: current.revision })
    return { type: 'put', key, value: action.value }
  }
  if (!current) throw new KeyNotFound(`The key does not exist: ${key}`, { key })
  switch (action.action) {
    case 'update': return { type: 'put', key, value: action.value }
    case 'append': return { type: 'put', key, value: current.value + action.value }
    case 'set_by_path': return { type: 'put', key, value: setByPath(current.value, Object.entries(action.all_set)) }
    case 'remove': return { type: 'delete', key }
  }
}

const revisionMismatch = ({ key, revision }: Guard, actual: number): Error =>
  new RevisionMismatch(`Revision mismatch for key ${key}: expected ${revision}, actual ${actual}`, {
    key, expected: revision, actual,
  })
