import { suite, type Test } from 'uvu'
import type { Store } from '../../runtime/store/store.ts'
import { inRealTime, plainErrors, type Check, type Timing } from './store/checks.ts'
import { entries, listings } from './store/entries.ts'
import { leases, lifetimes } from './store/leases.ts'
import { boundaries, transactions } from './store/transactions.ts'
import { watchEnds, watches } from './store/watches.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** Makes the store forget all history before its present revision. */
  forget(store: Store): Promise<void>
  /** A Store over the same contents, as a new process would open it; absent where nothing outlives the process. */
  reopen?(): Promise<Store>
  end(): Promise<void>
}

/**
 * What every Store does, whatever it is made of. `open` gives an empty one; `timing` is the time that it lives in. The
 * caller runs the suite.
 */
export function storeCompliance(name: string, open: () => Promise<StoreUnderTest>, timing: Timing = inRealTime): Test {
  const test = suite(`store: ${name}`)
  const check: Check = (title, body) => {
    test(title, () => plainErrors(() => timing.run(async () => {
      const under = await open()
      try {
        await body(under.store, { ...under, wait: timing.wait })
      } finally {
        await under.end()
      }
    })))
  }
  for (const group of [entries, listings, transactions, boundaries, watches, watchEnds, leases, lifetimes]) group(check)
  return test
}
