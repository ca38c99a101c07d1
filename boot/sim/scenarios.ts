import { Usage } from '../errors.ts'
import type { RunOptions } from './options.ts'
import { runOnce, type RunHooks, type RunReport } from './run.ts'

/** Something to simulate, by name. */
export interface Scenario {
  readonly name: string
  readonly what: string
  readonly run: (options: RunOptions, hooks: RunHooks) => Promise<RunReport>
}

export const scenarios: readonly Scenario[] = [
  { name: 'zone', what: 'a zone boots, is used, and meets the faults that the seed plans', run: runOnce },
]

/** @throws Usage */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((each) => each.name === name)
  if (found) return found
  throw new Usage(`There is no such scenario: ${name}`, {
    next: `Choose one of ${scenarios.map((each) => each.name).join(', ')}`,
  })
}
