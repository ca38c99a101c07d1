import { InvalidArgument, Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { revocationReasons, type RevocationReason } from '../../../runtime/x509/crl.ts'
import { encodePem } from '../../../runtime/x509/pem.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import type { Compare } from '../../../runtime/store/store.ts'
import type { Beside, Change } from '../barrier.ts'
import type { EnginePorts } from '../engine.ts'
import type { OpenAuthority } from './authority-record.ts'
import type { Authorities } from './book.ts'
import { certificatePath, overtaken, type Certificates } from './certificates.ts'
import { encodeRecord } from './certificate-record.ts'
import { wholeSeconds } from './make-authority.ts'
import { nextList, readList, type OpenList } from './revocation-list.ts'
import { readSerial, serialKey } from './serials.ts'

export interface AuthorityList {
  readonly authority: OpenAuthority
  readonly list: OpenList
}

export interface Revocation {
  /** Its first time, however often. The list that says so is made by the same transaction. */
  revoke(serial: string, reason?: string): Promise<{ readonly revokedAt: number }>
  /**
   * All of these at once, with what else is to be durable then; those that are revoked or forgotten are passed over.
   * They may take what is reserved for them of a list. `unlisted`: where that is full, no list says it.
   * False when what that was to hold with does not. @throws LimitExceeded
   */
  revokeAll(serials: readonly string[], reason: string, beside: Beside, unlisted?: boolean): Promise<boolean>
  /** The newest list of each authority that signs or has signed. */
  lists(): Promise<readonly AuthorityList[]>
  /** Makes those anew of whose time half is over, or all. How many were made. */
  refresh(all?: boolean): Promise<number>
  /** Leaves out of the lists what `keep` does not name. How many were left out. */
  prune(keep: (authority: OpenAuthority, serial: Uint8Array) => Promise<boolean>): Promise<number>
}

export interface RevocationPorts {
  readonly ports: EnginePorts
  readonly authorities: Authorities
  readonly certificates: Certificates
  readonly crlLifeMs: () => Promise<number>
}

/** Those that have signed something, and are still trusted. */
const hasList = ({ state, key }: OpenAuthority): boolean =>
  (state === 'active' || state === 'tainted') && key !== undefined

export const listPem = ({ der }: OpenList): string => encodePem('X509 CRL', der)

export function createRevocation({ ports, authorities, certificates, crlLifeMs }: RevocationPorts): Revocation {
  const { barrier, clock } = ports
  const withLists = async () => (await authorities.fresh()).authorities.filter(hasList)

  /** Tries until nobody was faster: `change` makes the next list of the authority, or nothing. */
  const rewrite = async (
    authority: OpenAuthority, change: (last: OpenList | undefined) => Promise<OpenList['revoked'] | undefined>,
  ): Promise<boolean> => {
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const last = await readList(barrier, authority.id)
      const revoked = await change(last)
      if (revoked === undefined) return false
      const { guard, change: write } = nextList(authority, last, revoked,
        { now: clock.now(), lifeMs: await crlLifeMs() })
      const book = await authorities.fresh()
      if (await barrier.commit([guard, authorities.guard(book)], [write])) return true
    }
    throw new Overloaded(`Too many writers of one revocation list; attempts: ${limits.vaultTransactionAttempts}`)
  }

  /** When the first of a full list will have ended: until then there is nothing to leave out. By authority. */
  const fullUntilMs = new Map<string, number>()
  /**
   * Without those that ended so long ago that every list of their time has ended as well (RFC 5280 §3.3): what is
   * forgotten in the inventory a tidy takes off.
   */
  const unended = async ({ id }: OpenAuthority, revoked: OpenList['revoked']): Promise<OpenList['revoked']> => {
    const [now, lifeMs] = [clock.now(), await crlLifeMs()]
    const own = new Map((await authorities.fresh()).authorities.map((one) => [one.serial, one.certificate.notAfter]))
    const kept = []
    let first = Infinity
    for (const entry of revoked) {
      const key = serialKey(entry.serial)
      const end = own.get(key) ?? (await certificates.find(key))?.stored.notAfter ?? Infinity
      if (end + lifeMs < now) continue
      kept.push(entry)
      first = Math.min(first, end + lifeMs)
    }
    fullUntilMs.set(id, first)
    return kept
  }
  /** With these, and room for them made where that is needed and can be. */
  const extended = async (
    authority: OpenAuthority, last: OpenList | undefined, entries: OpenList['revoked'], most: number,
  ): Promise<OpenList['revoked']> => {
    const before = last?.revoked ?? []
    const isFull = before.length + entries.length > most && clock.now() > (fullUntilMs.get(authority.id) ?? 0)
    return [...isFull ? await unended(authority, before) : before, ...entries]
  }
  const ordinary = limits.vaultRevoked - limits.vaultRevokedReserve

  return {
    async revoke(serial, text) {
      const reason = readReason(text)
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const { key, stored, revision } = await certificates.read(serial)
        if (stored.revokedAt !== undefined) return { revokedAt: stored.revokedAt }
        const now = clock.now()
        const revokedAt = wholeSeconds(now)
        const path = certificatePath(key)
        const record = { path, value: encodeRecord({ ...stored, revokedAt }) }
        const id = toBase64url(stored.authority)
        const authority = (await withLists()).find((one) => one.id === id)
        const guard = { key: path, modRevision: revision }
        // Of one that has ended, or whose authority is trusted no more, no list has to speak
        if (authority === undefined || stored.notAfter < now) {
          if (await barrier.commit([guard], [record])) return { revokedAt }
          continue
        }
        const last = await readList(barrier, id)
        const entry = { serial: serialBytes(key), at: revokedAt, ...(reason === undefined ? {} : { reason }) }
        const list = nextList(authority, last, await extended(authority, last, [entry], ordinary),
          { now, lifeMs: await crlLifeMs(), most: ordinary })
        if (await barrier.commit([guard, list.guard], [record, list.change])) return { revokedAt }
      }
      throw overtaken()
    },
    async revokeAll(serials, text, beside, unlisted = false) {
      const reason = readReason(text)
      const now = clock.now()
      const revokedAt = wholeSeconds(now)
      const keys = serials.map(readSerial).filter((key) => key !== undefined)
      const all = await Promise.all([...new Set(keys)].map((key) => certificates.find(key)))
      const found = all.filter((one) => one !== undefined).filter(({ stored }) => stored.revokedAt === undefined)
      const guards: Compare[] = found.map(({ key, revision }) => ({ key: certificatePath(key), modRevision: revision }))
      const changes: Change[] = found.map(({ key, stored }) =>
        ({ path: certificatePath(key), value: encodeRecord({ ...stored, revokedAt }) }))
      for (const authority of await withLists()) {
        const entries = found
          .filter(({ stored }) => stored.notAfter >= now && toBase64url(stored.authority) === authority.id)
          .map(({ key }) =>
            ({ serial: serialBytes(key), at: revokedAt, ...(reason === undefined ? {} : { reason }) }))
        if (entries.length === 0) continue
        const last = await readList(barrier, authority.id)
        const next = await extended(authority, last, entries, limits.vaultRevoked)
        if (unlisted && next.length > limits.vaultRevoked) continue
        const list = nextList(authority, last, next, { now, lifeMs: await crlLifeMs() })
        guards.push(list.guard)
        changes.push(list.change)
      }
      return await barrier.commit(guards, changes, beside)
    },
    async lists() {
      const found = await Promise.all((await withLists()).map(async (authority) =>
        ({ authority, list: await readList(barrier, authority.id) })))
      return found.flatMap(({ authority, list }) => (list === undefined ? [] : [{ authority, list }]))
    },
    async refresh(all = false) {
      let made = 0
      for (const authority of await withLists()) {
        const written = await rewrite(authority, async (last) => {
          const half = last && last.thisUpdate + (last.nextUpdate - last.thisUpdate) / 2
          return all || half === undefined || half <= clock.now() ? unended(authority, last?.revoked ?? []) : undefined
        })
        if (written) made++
      }
      return made
    },
    async prune(keep) {
      let dropped = 0
      for (const authority of await withLists()) {
        await rewrite(authority, async (last) => {
          const kept = []
          for (const entry of last?.revoked ?? []) if (await keep(authority, entry.serial)) kept.push(entry)
          const gone = (last?.revoked.length ?? 0) - kept.length
          if (gone === 0) return undefined
          dropped += gone
          return kept
        })
      }
      return dropped
    },
  }
}

/** @throws InvalidArgument */
function readReason(text: string | undefined): RevocationReason | undefined {
  if (text === undefined || text === '') return undefined
  const reason = revocationReasons.find((one) => one?.toLowerCase() === text.toLowerCase())
  if (reason === undefined || reason === 'certificateHold') {
    const words = revocationReasons.filter((one) => one !== undefined && one !== 'certificateHold').join(', ')
    throw new InvalidArgument(`There is no such reason: ${JSON.stringify(text.slice(0, 64))}; there are ${words}`)
  }
  return reason === 'unspecified' ? undefined : reason
}

export const serialBytes = (key: string): Uint8Array =>
  Uint8Array.from(key.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
