import { InvalidArgument, Overloaded } from '../../../../runtime/errors.ts'
import { limits } from '../../../../runtime/limits.ts'
import type { Clock, Keys, Random } from '../../../../runtime/platform/ports.ts'
import type { Barrier, Change, Opened } from '../../barrier.ts'
import type { Compare } from '../../../../runtime/store/store.ts'
import { openTokenNames, type TokenNames } from './names.ts'
import { accessorPath, childPath, duePath, folder, idPath, Named, TokenRecord } from './record.ts'
import { createRevocation, type Revocation } from './revocation.ts'

export interface TokenPorts {
  readonly barrier: Barrier
  readonly keys: Keys
  readonly random: Random
  readonly clock: Clock
  /** Told when a token is to end. */
  readonly onDue: (at: number) => void
}

/** A token as it is kept. `name` is where; the token itself is with who holds it. */
export interface Token {
  readonly name: string
  readonly record: TokenRecord
}

export type NewToken =
  Pick<TokenRecord, 'policies' | 'meta' | 'displayName' | 'path' | 'ttl' | 'explicitMaxTtl' | 'period' | 'renewable'
    | 'numUses' | 'role'> & { readonly parent?: Token | undefined; readonly id?: string | undefined }

export interface TokenStore {
  /** @throws InvalidArgument for an id that is taken or has not its shape; undefined when the parent is gone */
  create(wanted: NewToken): Promise<(Token & { readonly token: string }) | undefined>
  /**
   * Who shows it, when it is alive: one use of it is taken before anything else happens, by compare-and-set, so that
   * of many at once no more pass than it has uses. `isLast`: it has to be revoked when the request is done.
   */
  use(token: string): Promise<(Token & { readonly isLast: boolean }) | undefined>
  /** Without using it. */
  find(token: string): Promise<Token | undefined>
  byAccessor(accessor: string): Promise<Token | undefined>
  /** New end, from now on, as the rule of its life says. Undefined when it is gone. */
  renew(token: Token, ttlOf: (record: TokenRecord) => number): Promise<Token | undefined>
  /** With all tokens below it. Ends what it began also after a crash. */
  revoke(name: string): Promise<void>
  /** Alone: its children become orphans. */
  revokeOrphan(name: string): Promise<void>
  accessors(options: { readonly limit: number }): Promise<readonly string[]>
  /** Revokes what has expired, up to the limit, and finishes what was begun. How many went, and when the next is due. */
  sweep(): Promise<{ readonly revoked: number; readonly next: number | undefined }>
}

export async function openTokenStore(ports: TokenPorts): Promise<TokenStore> {
  const { barrier, clock } = ports
  const names = await openTokenNames(ports)
  const revocation = createRevocation({ barrier, names })
  const turns = createTurns()

  const isAlive = ({ expiresAt, numUses }: TokenRecord): boolean =>
    numUses >= 0 && (expiresAt === 0 || clock.now() < expiresAt)
  const opened = async (token: string): Promise<{ name: string; found: Opened<TokenRecord> } | undefined> => {
    if (!names.isToken(token)) return undefined
    const digest = names.digest(token)
    const found = await barrier.read(idPath(digest.name), TokenRecord)
    if (found === undefined || !names.isVerified(digest, found.value)) return undefined
    return isAlive(found.value) ? { name: digest.name, found } : undefined
  }
  /** Of this process one after the other, and against others by compare-and-set. */
  const takeUse = (token: string) => turns(names.digest(token).name, async () => {
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const again = await opened(token)
      if (again === undefined) return undefined
      const { name, found: { value: record, revision } } = again
      const isLast = record.numUses === 1
      const path = idPath(name)
      const used = { ...record, numUses: isLast ? -1 : record.numUses - 1 }
      // Whatever interrupts the request: what has no use left goes
      const changes = [{ path, value: used }, ...(isLast ? [revocation.note(name)] : [])]
      if (await barrier.commit([{ key: path, modRevision: revision }], changes)) {
        return { name, record: used, isLast }
      }
    }
    throw new Overloaded(`Too many uses of one token at once; attempts: ${limits.vaultTransactionAttempts}`)
  })

  return {
    create: (wanted) => created(ports, names, wanted),
    async use(token) {
      const first = await opened(token)
      if (first === undefined) return undefined
      const { name, found: { value: record } } = first
      return record.numUses === 0 ? { name, record, isLast: false } : takeUse(token)
    },
    async find(token) {
      const found = await opened(token)
      return found && { name: found.name, record: found.found.value }
    },
    async byAccessor(accessor) {
      if (!names.isToken(accessor)) return undefined
      const named = await barrier.read(accessorPath(names.accessor(accessor)), Named)
      const found = named && await barrier.read(idPath(named.value.name), TokenRecord)
      return found && isAlive(found.value) ? { name: named.value.name, record: found.value } : undefined
    },
    renew: ({ name }, ttlOf) => turns(name, async () => {
      const path = idPath(name)
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const found = await barrier.read(path, TokenRecord)
        if (found === undefined || !isAlive(found.value)) return undefined
        const { value: before, revision } = found
        const now = clock.now()
        const ttl = ttlOf(before)
        const record = { ...before, ttl, expiresAt: now + ttl * 1_000, renewedAt: now }
        const changes = [{ path, value: record }, ...movedDue(name, before.expiresAt, record.expiresAt)]
        if (await barrier.commit([{ key: path, modRevision: revision }], changes)) {
          ports.onDue(record.expiresAt)
          return { name, record }
        }
      }
      throw new Overloaded(`Too many renewals of one token; attempts: ${limits.vaultTransactionAttempts}`)
    }),
    revoke: (name) => revocation.tree(name),
    revokeOrphan: (name) => revocation.alone(name),
    async accessors({ limit }) {
      const { paths } = await barrier.list(folder.accessors, { limit })
      const all = await Promise.all(paths.map((path) => barrier.read(path, Named)))
      return all.flatMap((found) => (found ? [found.value.accessor] : []))
    },
    sweep: () => sweep(revocation, clock),
  }
}

async function created(
  { barrier, clock, onDue }: TokenPorts, names: TokenNames, { parent, id, ...wanted }: NewToken,
): Promise<(Token & { readonly token: string }) | undefined> {
  if (id !== undefined && !names.isToken(id)) {
    throw new InvalidArgument('A token id has 8 to 255 letters, digits, dots, underscores and hyphens')
  }
  const token = id ?? names.newToken()
  const { name, verifier } = names.digest(token)
  const accessor = names.newAccessor()
  const now = clock.now()
  const record: TokenRecord = {
    ...wanted, verifier, accessor, createdAt: now, creationTtl: wanted.ttl,
    expiresAt: wanted.ttl === 0 ? 0 : now + wanted.ttl * 1_000,
    ...(parent === undefined ? {} : { parent: parent.name }),
  }
  const changes: Change[] = [
    { path: idPath(name), value: record },
    { path: accessorPath(names.accessor(accessor)), value: { name, accessor } },
    ...movedDue(name, 0, record.expiresAt),
    ...(parent === undefined ? [] : [{ path: childPath(parent.name, name), value: {} }]),
  ]
  for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
    const guards: Compare[] = [{ key: idPath(name), modRevision: 0 }]
    if (parent !== undefined) {
      // One that is revoked at the same time leaves no child behind
      const above = await barrier.read(idPath(parent.name), TokenRecord)
      if (above === undefined) return undefined
      guards.push({ key: idPath(parent.name), modRevision: above.revision })
    }
    if (await barrier.commit(guards, changes)) {
      if (record.expiresAt !== 0) onDue(record.expiresAt)
      return { name, record, token }
    }
    if (await barrier.read(idPath(name), TokenRecord)) throw new InvalidArgument('cannot create a token with that id')
  }
  throw new Overloaded(`Too many changes of one token; attempts: ${limits.vaultTransactionAttempts}`)
}

function movedDue(name: string, before: number, after: number): Change[] {
  if (before === after) return []
  return [
    ...(before === 0 ? [] : [{ path: duePath(before, name), value: undefined }]),
    ...(after === 0 ? [] : [{ path: duePath(after, name), value: {} }]),
  ]
}

async function sweep(
  revocation: Revocation, clock: Clock,
): Promise<{ readonly revoked: number; readonly next: number | undefined }> {
  const unfinished = await revocation.resume()
  const { due, next } = await revocation.due(clock.now())
  for (const name of due) await revocation.tree(name)
  return { revoked: unfinished + due.length, next }
}

/** Work on one token at a time. */
function createTurns(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>()
  return (name, work) => {
    const before = last.get(name) ?? Promise.resolve()
    const mine = before.then(work, work)
    last.set(name, mine)
    const leave = (): void => {
      if (last.get(name) === mine) last.delete(name)
    }
    mine.then(leave, leave)
    return mine
  }
}
