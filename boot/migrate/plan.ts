import { InvalidArgument, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { MigrationPlan, PlannedStore } from '../../runtime/migration.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { openLogCopy } from '../../runtime/store/embedded/log-copy.ts'
import { prefixOf } from '../../runtime/store/location.ts'
import type { StoreState } from '../../runtime/store/state.ts'
import { file } from '../init.ts'
import { told } from './journal.ts'
import { storeNames, type EtcdLocation } from './move-stores.ts'

export interface PlanOptions {
  readonly platform: Platform
  readonly files: Files
  readonly to: EtcdLocation
}

/**
 * What a migration would do with each store, which may be in use: the target is asked, and nothing is changed anywhere.
 * @throws Unavailable when etcd does not answer
 */
export async function planMigration({ platform, files, to }: PlanOptions): Promise<MigrationPlan> {
  const stores: PlannedStore[] = []
  let operationsMax: number = limits.transactionOperations
  for (const name of await storeNames(files)) {
    const state = await stateOf(files.path(`${file.stores}/${name}`))
    if (!state) continue
    const { id, revision, size: entries, bytes, moved } = state
    const planned = { name, entries, bytes, revision, error: null }
    if (moved?.prefix === prefixOf(to.prefix, name)) {
      stores.push({ ...planned, entries: moved.entries, what: 'moved' })
      continue
    }
    try {
      state.assertHere()
      const probed = await platform.stores(to).probe!(name, { id, revision })
      operationsMax = Math.min(operationsMax, probed.operationsMax)
      stores.push({ ...planned, what: probed.what })
    } catch (error) {
      if (!(error instanceof ZonewrightError) || error.code === 'Unavailable') throw error
      stores.push({ ...planned, what: 'refused', error: told(error) })
    }
  }
  return { endpoints: [...to.endpoints], prefix: to.prefix, operationsMax, error: null, stores }
}

/**
 * @throws InvalidArgument when etcd takes fewer operations at once than an actor may write, and the first error of a
 * store that is refused
 */
export function assertPossible({ operationsMax, stores, error }: MigrationPlan): void {
  const refused = error ?? stores.find(({ what }) => what === 'refused')?.error
  if (refused) throw new ZonewrightError(refused.code, refused.message, { next: refused.next })
  if (operationsMax >= limits.transactionOperations) return
  throw new InvalidArgument(`etcd takes ${operationsMax} operations in a transaction, and actors may write `
    + `${limits.transactionOperations} at once`, {
    next: `Start its members with --max-txn-ops ${limits.transactionOperations}`,
  })
}

async function stateOf(folder: string): Promise<StoreState | undefined> {
  const copy = await openLogCopy(folder)
  if (!copy) return undefined
  try {
    return (await copy.check()).state
  } finally {
    await copy.close()
  }
}
