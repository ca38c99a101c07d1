import { casbinEngine } from '../../actors/rbac/casbin-engine.ts'
import { provideEngine } from '../../actors/rbac/load-engine.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import type { KeyKind } from '../../runtime/sim/keys.ts'
import { simulate, type SimulationResult } from '../../runtime/sim/simulate.ts'
import type { StepEvent } from '../../runtime/trace.ts'
import { catalogue, nodeCatalogue } from '../catalogue.ts'
import { defaultConfig } from '../config.ts'
import { up } from '../up.ts'

export interface ZoneSimulation {
  readonly seed: number
  /** `cheap`: a keyed hash in place of signatures, for volume. Default: `real`. */
  readonly keys?: KeyKind
  /** Hosts beside the first one. Default: none. */
  readonly nodes?: number
  /** Each line of the trace, as it is hashed. */
  readonly onLine?: (line: string) => void
  /** Puts something in the place of an actor, by its name. */
  readonly change?: (name: string, definition: ActorDefinition) => ActorDefinition
}

export interface ZoneSimulationResult extends SimulationResult {
  /** The documented steps of the first boot. */
  readonly steps: readonly StepEvent[]
}

/** More than ten times what a run takes: a run that comes here does not end. */
const EVENTS_MAX = 1_000_000
const VIRTUAL_MS_MAX = 3_600_000
const HOST = defaultConfig.host
const FOLDER = 'zone'

/**
 * Boots the zone with every port simulated: the same `up`, the same actors. Boots it, asks for its health, stops it,
 * and boots it again from what is on the simulated disk.
 */
export async function simulateZone({
  seed,
  keys = 'real',
  nodes = 0,
  onLine,
  change,
}: ZoneSimulation): Promise<ZoneSimulationResult> {
  const modules = await loadModules(change)
  let steps: readonly StepEvent[] = []
  const result = await simulate(
    {
      seed,
      keys,
      modules,
      maxEvents: EVENTS_MAX,
      maxVirtualMs: VIRTUAL_MS_MAX,
      ...(onLine ? { onLine } : {}),
    },
    async (world) => {
      for (const boot of ['first', 'second'] as const) {
        const { platform } = world.startProcess(HOST)
        const zone = await up({ platform, folder: FOLDER, nodes })
        if (boot === 'first') steps = [...zone.steps()]
        const health = await world.http(HOST, zone.address.port, {
          method: 'GET',
          path: '/healthz',
          query: '',
          headers: {},
          body: new Uint8Array(),
          remoteAddress: 'observer',
        })
        if (health.status !== 200)
          throw new StartFailed(`The zone is not healthy after its ${boot} boot: ${health.status}`)
        const down = zone.hosts().filter(({ state }) => state !== 'serving')
        if (down.length > 0 || zone.hosts().length !== nodes + 1)
          throw new StartFailed(`Hosts do not serve after the ${boot} boot: ${down.map(({ host }) => host).join(', ')}`)
        if (zone.secondBoot !== (boot === 'second')) throw new StartFailed(`The ${boot} boot ran the wrong sequence`)
        await zone.stop()
      }
    },
  )
  return { ...result, steps }
}

/** Modules are loaded before the virtual clock starts: an import goes through a thread pool. */
async function loadModules(change: ZoneSimulation['change']): Promise<ReadonlyMap<string, ActorDefinition>> {
  provideEngine(casbinEngine)
  const specs = [...catalogue(FOLDER, { ...defaultConfig, nodes: 1 }), ...nodeCatalogue(FOLDER)]
  return new Map(
    await Promise.all(
      specs.map(async ({ module, protocol }): Promise<[string, ActorDefinition]> => {
        const { default: definition } = (await import(module.href)) as { default: ActorDefinition }
        return [module.href, change ? change(protocol.name, definition) : definition]
      }),
    ),
  )
}
