import { Usage } from '../errors.ts'
import { DEFAULT_SCENARIO, type GivenOptions, type RunOptions } from './options.ts'
import { canary } from './canary.ts'
import { blindFence, crowding } from './canary-placement.ts'
import { sparing } from './canary-hosts.ts'
import { runHosts } from './hosts.ts'
import { openTerms, sharedTerms } from './canary-leading.ts'
import { runOods } from './oods.ts'
import { runMigrate } from './migrate.ts'
import { runPlacement } from './placement.ts'
import { runRestartIntensity } from './restart-intensity.ts'
import { runOnce, type RunHooks, type RunReport } from './run.ts'
import { runStartOrder } from './start-orders.ts'
import { runYears } from './years.ts'

/** Something to simulate, by name. */
export interface Scenario {
  readonly name: string
  readonly what: string
  /** The seed counts up to a case, with what goes wrong in it: of the options only the keys matter. */
  readonly isCase?: true
  /** What a person may say of it nevertheless. */
  readonly takes?: readonly 'oods'[]
  readonly run: (options: RunOptions, hooks: RunHooks) => Promise<RunReport>
}

const SEVERAL_OODS = 'oods'

export const scenarios: readonly Scenario[] = [
  { name: 'zone', what: 'a zone boots, is used, and meets the faults that the seed plans', run: runOnce },
  {
    name: 'canary', what: 'the same, but writes are lost that were acknowledged: the run must fail',
    run: (options, hooks) => runOnce(options, canary(hooks)),
  },
  {
    name: 'canary-clock', what: 'the same, but they are lost only once a wall clock has jumped forward',
    run: (options, hooks) => runOnce(options, canary(hooks, 'clock-forward')),
  },
  {
    name: 'start-orders', run: runStartOrder, isCase: true,
    what: 'one crash at one step of the boot, in one order of starts: the case that the seed counts up to',
  },
  {
    name: 'restart-intensity', run: runRestartIntensity, isCase: true,
    what: 'an actor or a host dies again and again, at exact times: the case that the seed counts up to',
  },
  {
    name: 'migrate', isCase: true, run: runMigrate,
    what: 'a zone in use moves its stores into etcd, and one thing happens at one step: the case of the seed',
  },
  {
    name: 'placement', isCase: true, run: runPlacement,
    what: 'hosts are cut off, crash and are drained; what they run goes elsewhere, and never runs twice',
  },
  {
    name: 'canary-fence', isCase: true, run: (options, hooks) => runPlacement(options, blindFence(hooks)),
    what: 'the same, but hosts that are cut off stop nothing in time: the run must fail',
  },
  {
    name: 'canary-crowd', isCase: true, run: (options, hooks) => runPlacement(options, crowding(hooks)),
    what: 'the same, but the scheduler takes hosts for larger than they are: the run must fail',
  },
  {
    name: 'hosts', isCase: true, run: runHosts,
    what: 'hosts join by token and run services; what is between them and the zone fails, and they are back',
  },
  {
    name: 'canary-revoke', isCase: true, run: (options, hooks) => runHosts(options, sparing(hooks)),
    what: 'the same, but a revocation is answered and not done: the run must fail',
  },
  {
    name: SEVERAL_OODS, isCase: true, takes: ['oods'], run: runOods,
    what: 'OODs over one store are cut off, stand still and die; one of them leads, and the zone goes on',
  },
  {
    name: 'canary-term', isCase: true, run: (options, hooks) => runOods(options, sharedTerms(hooks)),
    what: 'the same, but each OOD is told that it leads: the run must fail',
  },
  {
    name: 'canary-fenced', isCase: true, run: (options, hooks) => runOods(options, openTerms(hooks)),
    what: 'the same, but writes of a term that is over are taken: the run must fail',
  },
  {
    name: 'years', isCase: true, run: (options, hooks) => runYears(options, hooks),
    what: 'ten years of authorities, certificates and keys, with power cuts, wrong clocks and lost keys; no heartbeats',
  },
]

/** What a case takes from nobody but its seed. */
const ofCases = ['oods', 'nodes', 'hours', 'faults', 'store'] as const

/** Nothing is left out without a word. @throws Usage */
export function refuseUnused({ name, isCase, takes = [] }: Scenario, given: GivenOptions): void {
  const oods = (given.oods ?? 1) > 1 ? ['oods' as const] : []
  const [options, why] = isCase ? [ofCases, 'its seed counts up to a case that has its own'] : [oods, 'it has one OOD']
  const unused = options.find((option) => given[option] !== undefined && !takes.some((one) => one === option))
  if (unused) throw new Usage(`--${unused} is not for ${name}: ${why}`, { next: `Leave --${unused} out` })
}

/** Of several OODs there is one, and nobody has to know its name. @throws Usage */
export function scenarioNamed(name: string, oods = 1): Scenario {
  const wanted = oods > 1 && name === DEFAULT_SCENARIO ? SEVERAL_OODS : name
  const found = scenarios.find((each) => each.name === wanted)
  if (found) return found
  throw new Usage(`There is no such scenario: ${name}`, {
    next: `Choose one of ${scenarios.map((each) => each.name).join(', ')}`,
  })
}
