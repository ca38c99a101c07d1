import type { Engine } from './enforcement.ts'
import type { Model } from './model.ts'
import type { Policy } from './policy.ts'

/** casbin, for a model and lines. @throws InvalidArgument when it cannot decide by them */
export type MakeEngine = (model: Model, added: Policy) => Engine

let loaded: MakeEngine | undefined

/** Where loading a module would not be repeatable (in simulation), it is there from the start. */
export function provideEngine(make: MakeEngine): void {
  loaded = make
}

/** casbin takes tens of milliseconds to load, and few zones bring a model that needs it. */
export async function loadEngine(): Promise<MakeEngine> {
  return loaded ??= (await import('./casbin-engine.ts')).casbinEngine
}
