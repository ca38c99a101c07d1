import { casbinEngine } from '../../actors/rbac/casbin-engine.ts'
import { provideEngine } from '../../actors/rbac/load-engine.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { messageOf, ZonewrightError } from '../../runtime/errors.ts'
import { SimulationFailed, SimulationLimit, simulate } from '../../runtime/sim/simulate.ts'
import type { WireCounts } from '../../runtime/sim/wires.ts'
import type { ActorSpec } from '../../runtime/spec.ts'
import type { StepEvent } from '../../runtime/trace.ts'
import { catalogue, nodeCatalogue } from '../catalogue.ts'
import { defaultConfig } from '../config.ts'
import { FOLDER } from './cluster.ts'
import type { PlannedFault } from './faults.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { planFaults } from './plan.ts'
import { Stage } from './stage.ts'
import { emptyCoverage, type Coverage, type PointHits, type Strikes } from './strikes.ts'
import type { Workload } from './workload.ts'

export interface RunHooks {
  /** Each line of the trace, as it is hashed. */
  readonly onLine?: (line: string) => void
  /** Frames of the stack of a failure. Default: none, which is quicker. */
  readonly stackFrames?: number
  /** Puts something in the place of an actor, by its name. */
  readonly change?: (name: string, definition: ActorDefinition) => ActorDefinition
}

export interface RunFailure {
  readonly invariant: string
  readonly detail: string
  readonly virtualMs: number
  /** The last lines of the trace. */
  readonly lastLines: readonly string[]
  readonly stack: string
}

export interface RunReport {
  readonly options: RunOptions
  readonly plan: readonly PlannedFault[]
  /** Those that struck, and at which step of the boot. */
  readonly struck: Strikes['struck']
  readonly coverage: Coverage
  readonly points: PointHits
  readonly wires: Readonly<WireCounts>
  readonly work: Workload['counts'] | undefined
  readonly boots: number
  /** Of the first boot. */
  readonly steps: readonly StepEvent[]
  /** Empty where the run failed. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly failure: RunFailure | undefined
}

const HOUR = 3_600_000
/** More than a storm makes of an hour with a host; a run that comes here does not end. */
const EVENTS_PER_HOST_HOUR = 3_000_000
const EVENTS_LEAST = 2_000_000

/** One run: faults with every invariant checked, then healed, and all has to come back. */
export async function runOnce(options: RunOptions, hooks: RunHooks = {}): Promise<RunReport> {
  const { modules, definitions } = await loadActors(hooks.change)
  const all = planFaults(options)
  const plan = options.only ? all.filter(({ index }) => options.only!.includes(index)) : all
  const stage = new Stage(options, plan, definitions)
  const budgetMs = options.hours * HOUR + 2 * HOUR
  const told = () => ({
    options, plan, struck: stage.strikes?.struck ?? [], coverage: stage.strikes?.coverage ?? emptyCoverage(),
    points: stage.played.hits, wires: stage.lookout.wires, work: stage.workload?.counts, boots: stage.lookout.boots,
    steps: stage.lookout.steps,
  })
  try {
    const { hash, events, virtualMs } = await simulate({
      seed: options.seed, keys: options.keys, modules, maxVirtualMs: budgetMs,
      maxEvents: EVENTS_LEAST + Math.ceil((options.nodes + 1) * (budgetMs / HOUR) * EVENTS_PER_HOST_HOUR),
      ...(hooks.onLine ? { onLine: hooks.onLine } : {}), watch: stage.lookout.watch, points: stage.points,
      programs: stage.programs, etcd: options.store === 'etcd', stackFrames: hooks.stackFrames ?? 0,
    }, (world) => stage.run(world))
    return { ...told(), hash, events, virtualMs, failure: undefined }
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error
    const { events, virtualMs } = error
    return { ...told(), hash: '', events, virtualMs, failure: failureOf(error) }
  }
}

export function failureOf({ cause, virtualMs, lastLines }: SimulationFailed): RunFailure {
  const broken = cause instanceof InvariantBroken ? cause : undefined
  const stack = cause instanceof Error ? cause.stack ?? '' : ''
  const invariant = broken?.invariant ?? (cause instanceof SimulationLimit ? 'ends' : nameOf(cause))
  return { invariant, detail: broken?.detail ?? messageOf(cause), virtualMs, lastLines, stack }
}

const nameOf = (cause: unknown): string =>
  (cause instanceof ZonewrightError ? cause.code : cause instanceof Error ? cause.name : 'error')

/** Modules are loaded before the virtual clock starts: an import goes through a thread pool. */
export async function loadActors(change: RunHooks['change'], more: readonly ActorSpec[] = []) {
  provideEngine(casbinEngine)
  const modules = new Map<string, ActorDefinition>()
  const definitions = new Map<string, ActorDefinition>()
  const load = async ({ href }: URL, name: string): Promise<ActorDefinition> => {
    const { default: loaded } = (await import(href)) as { default: ActorDefinition }
    const definition = change ? change(name, loaded) : loaded
    modules.set(href, definition)
    return definition
  }
  // With what a zone of several hosts has beside
  const ood = catalogue(FOLDER, { ...defaultConfig, nodes: 1 })
  for (const [prefix, specs] of [['', ood], ['node:', nodeCatalogue(FOLDER)]] as const) {
    for (const { module, protocol } of specs) {
      definitions.set(prefix + protocol.name, await load(module, protocol.name))
    }
  }
  for (const { module, protocol } of more) if (!modules.has(module.href)) await load(module, protocol.name)
  return { modules, definitions }
}
