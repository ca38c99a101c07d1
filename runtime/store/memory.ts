import type { Clock, Random } from '../platform/ports.ts'
import { StateStore, type StateStoreOptions } from './group-commit.ts'
import { randomId } from './random-id.ts'
import { StoreState } from './state.ts'
import type { Store } from './store.ts'

/**
 * A store that lives as long as `state`, and completes by microtask only. A simulated disk keeps the state across
 * restarts of its process and gives a `persist` that takes its time: what has not settled when the process is killed
 * never reaches the state, as a write that was not synced. (To keep a write that was never acknowledged, apply it.)
 */
export function createMemoryStore({ clock, random, state = emptyState(random), persist = async () => {} }: {
  clock: Clock
  random: Random
  state?: StoreState
  persist?: StateStoreOptions['persist']
}): Store {
  return new StateStore({ state, clock, random, persist, close: async () => {} })
}

/** A new store's, with a new id. */
export const emptyState = (random: Random): StoreState => new StoreState(randomId(random, 16))
