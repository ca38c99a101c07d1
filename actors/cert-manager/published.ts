import type { ActorStart } from '../../runtime/actor.ts'
import {
  integer, number, object, picklist, pipe, record, string, type Client,
} from '../../runtime/protocol.ts'
import { NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import type { Term } from '../leading.ts'
import { readRecord } from '../records.ts'
import type { OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { Vault } from '../vault/protocol.ts'
import type { Authority, Told } from './due.ts'

/** What this actor alone writes, and hosts and services read: `system/pki/…`. */

const count = pipe(number(), integer())

export const pkiKey = {
  /** The set of roots to be trusted, signed by the anchor. */
  roots: 'system/pki/roots',
  /** Since when each authority's state can be known. */
  rotation: 'system/pki/rotation',
  lists: 'system/pki/crl',
  /** Of the authority with this key; as a segment of its own some thumbprints could not stand. */
  list: (mount: string, authority: string) => `system/pki/crl/${mount}/key-${authority}`,
} as const

export const PublishedRoots = object({ version: count, document: string() })
export const PublishedList = object({ number: count, nextUpdate: count, pem: string() })
const PublishedRotation = object({
  told: record(string(), object({ state: picklist(['next', 'active', 'tainted', 'revoked']), since: count })),
})

export interface PublishedOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get' | 'execTx' | 'dump'>
  readonly session: Pick<OwnSession, 'token'>
  readonly vault: Pick<Client<typeof Vault>, 'roots' | 'crl' | 'ensureKey'>
}

/** By whom it is written: the leader, whose term has to last. */
type Writes = Pick<Term, 'write'>

export type Published = ReturnType<typeof createPublished>

export function createPublished({ start: { clock, log }, systemConfig, session, vault }: PublishedOptions) {
  const settings = () => ({ token: session.token() })
  /** As it was read, or absent. */
  type Item = { readonly value: string; readonly revision: number } | undefined
  const read = async (key: string): Promise<Item> => await systemConfig.get({ key }, settings()) ?? undefined
  /** In the place of what was read, or not at all: another host may be faster. */
  const write = async ({ write }: Writes, key: string, before: Item, value: object): Promise<void> => {
    const action = { action: before ? 'update' as const : 'create' as const, value: JSON.stringify(value) }
    await write({ actions: { [key]: action }, mainKey: { key, revision: before?.revision ?? 0 } })
  }
  const remove = async ({ write }: Writes, key: string, revision: number): Promise<void> =>
    void await write({ actions: { [key]: { action: 'remove' } }, mainKey: { key, revision } })
  /** What somebody asked of a host that need not lead. */
  const unbound: Writes = { write: (transaction) => systemConfig.execTx(transaction, settings()) }
  /** A zone that was made without an anchor gets one; its owner key certifies it when somebody is to trust it. */
  const rootsNow = async () => {
    try {
      return await vault.roots({})
    } catch (error) {
      if (!(error instanceof NotFound)) throw error
      const { kid } = await vault.ensureKey({ name: 'anchor' })
      log.info('The anchor was made, which signs the set of trusted roots', { kid })
      return await vault.roots({})
    }
  }
  const toldNow = async () => {
    const item = await read(pkiKey.rotation)
    return { item, told: item ? readRecord(PublishedRotation, pkiKey.rotation, item.value).told : {} }
  }

  return {
    unbound,

    /** By the id of an authority. */
    async told(): Promise<ReadonlyMap<string, Told>> {
      return new Map(Object.entries((await toldNow()).told))
    },

    /**
     * The set of roots of now, when it is another one or the published one gets old; then, which states can be known by
     * it. What is written in between is only found later, so that a step waits longer and never less.
     */
    async roots(
      authorities: readonly Authority[], by: Writes,
    ): Promise<{ readonly version: number; readonly refreshAt: number }> {
      const item = await read(pkiKey.roots)
      const published = item && readRecord(PublishedRoots, pkiKey.roots, item.value)
      const now = await rootsNow()
      const refreshAt = published ? middleOf(published.document) : 0
      let current = published
      if (!published || published.version !== now.version || refreshAt <= clock.now()) {
        current = now
        await write(by, pkiKey.roots, item, { version: now.version, document: now.document })
        log.info('The set of trusted roots was published', { version: now.version })
      }
      const before = await toldNow()
      const states = Object.fromEntries(authorities.map(({ id, state }) => {
        const known = before.told[id]
        return [id, known?.state === state ? known : { state, since: Math.floor(clock.now()) }]
      }))
      if (JSON.stringify(states) !== JSON.stringify(before.told)) {
        await write(by, pkiKey.rotation, before.item, { told: states })
      }
      return { version: now.version, refreshAt: middleOf(current!.document) }
    },

    /**
     * The newest list of each authority of these mounts: one that is published is never followed by an older one.
     * Answers with when the first has to be followed by another.
     */
    async lists(
      mounts: readonly string[], by: Writes = unbound,
    ): Promise<{ readonly refreshAt: number; readonly oldestEnds: number }> {
      const { items } = await systemConfig.dump({ prefixes: [pkiKey.lists] }, settings())
      const before = new Map(items.map((item) => [item.key, item]))
      let refreshAt = Infinity
      let oldestEnds = Infinity
      const kept = new Set<string>()
      for (const mount of mounts) {
        for (const { authority, number: version, nextUpdate, pem } of await vault.crl({ mount })) {
          const key = pkiKey.list(mount, authority)
          kept.add(key)
          const value = { number: version, nextUpdate, pem }
          const item = before.get(key)
          if (item?.value !== JSON.stringify(value) && version >= numberOf(item)) await write(by, key, item, value)
          refreshAt = Math.min(refreshAt, clock.now() + Math.max(0, nextUpdate - clock.now()) / 2)
          oldestEnds = Math.min(oldestEnds, nextUpdate)
        }
      }
      for (const [key, { revision }] of before) if (!kept.has(key)) await remove(by, key, revision)
      return { refreshAt, oldestEnds }
    },
  }
}

const numberOf = (item: { readonly key: string; readonly value: string } | undefined): number =>
  (item ? readRecord(PublishedList, item.key, item.value).number : 0)

/** Epoch milliseconds at half of its life; 0 for what is no document of that kind. */
export function middleOf(document: string): number {
  const parsed = parseCompact(document, limits.document)
  if (!('jws' in parsed)) return 0
  const { iat, notAfter } = parsed.jws.payload as { iat?: unknown; notAfter?: unknown }
  if (typeof iat !== 'number' || typeof notAfter !== 'number') return 0
  // Both in seconds, or both in milliseconds
  const unit = iat > 100_000_000_000 ? 1 : 1_000
  return (iat + (notAfter - iat) / 2) * unit
}
