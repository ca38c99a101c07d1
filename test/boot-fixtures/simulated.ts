import { catalogue } from '../../boot/catalogue.ts'
import { defaultConfig, type ZoneConfig } from '../../boot/config.ts'
import { type Progress, type RunningZone, up } from '../../boot/up.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import type { KeyKind } from '../../runtime/sim/keys.ts'
import { simulate, type SimulatedProcess, type SimulationResult, type World } from '../../runtime/sim/simulate.ts'
import { createTrace, type LogEvent, type StepEvent, type Trace } from '../../runtime/trace.ts'
import { type Variant, type VariantName, variants } from './variants.ts'

export const HOST = defaultConfig.host
export const FOLDER = 'zone'
const EVENTS_MAX = 2_000_000
const VIRTUAL_MS_MAX = 3_600_000

export interface SimulatedBoot {
  /** Undefined when `up` failed. */
  readonly zone: RunningZone | undefined
  readonly error: ZonewrightError | undefined
  readonly process: SimulatedProcess
  readonly steps: readonly StepEvent[]
  readonly progress: readonly Progress[]
  readonly logs: readonly LogEvent[]
  readonly denials: number
}

/** The catalogue's actors, one of them changed. An import goes through a thread pool, so it is done before the run. */
async function modulesWith(name: VariantName | undefined): Promise<ReadonlyMap<string, ActorDefinition>> {
  const variant: Variant | undefined = name && variants[name]
  return new Map(
    await Promise.all(
      catalogue(FOLDER, defaultConfig).map(async ({ module, protocol }) => {
        const { default: definition } = await import(module.href) as { default: ActorDefinition }
        return [module.href, variant?.actor === protocol.name ? variant.change(definition) : definition] as const
      }),
    ),
  )
}

/** Runs a program in a world that has the zone's actors, one of them changed if a variant is named. */
export async function simulateZones(
  options: { seed: number; keys?: KeyKind; variant?: VariantName },
  program: (world: World) => Promise<void>,
): Promise<SimulationResult> {
  const modules = await modulesWith(options.variant)
  const { seed, keys = 'cheap' } = options
  return simulate({ seed, keys, modules, maxEvents: EVENTS_MAX, maxVirtualMs: VIRTUAL_MS_MAX }, program)
}

/** Boots in a process of its own, and tells what happened whether or not it succeeded. */
export async function bootIn(
  world: World,
  options: {
    host?: string
    watch?: (trace: Trace, process: SimulatedProcess) => void
    /** In place of what the zone's file says. */
    config?: Partial<ZoneConfig>
    nodes?: number
  } = {},
): Promise<SimulatedBoot> {
  const process = world.startProcess(options.host ?? HOST)
  const trace = createTrace()
  const [steps, progress, logs]: [StepEvent[], Progress[], LogEvent[]] = [[], [], []]
  let denials = 0
  trace.on('step', (event) => void steps.push(event))
  trace.on('log', (event) => void logs.push(event))
  trace.on('denial', () => void denials++)
  options.watch?.(trace, process)
  const boot = {
    process,
    steps,
    progress,
    logs,
    get denials() {
      return denials
    },
  }
  try {
    const zone = await up({
      platform: process.platform,
      folder: FOLDER,
      trace,
      nodes: options.nodes ?? 0,
      actors: (stores, config, portBefore) => catalogue(stores, { ...config, ...options.config }, portBefore),
      onProgress: (told) => void progress.push(told),
    })
    return { ...boot, denials, zone, error: undefined }
  } catch (error) {
    return { ...boot, denials, zone: undefined, error: error as ZonewrightError }
  }
}
