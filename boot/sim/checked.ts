import type { Points } from '../../runtime/sim/points.ts'
import { SimulationFailed, simulate, type ControlDelay } from '../../runtime/sim/simulate.ts'
import { file } from '../init.ts'
import { SimulatedCluster } from './cluster.ts'
import { Desk } from './desk.ts'
import { watchAll } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { createPrograms } from './programs.ts'
import { failureOf, loadActors, type RunHooks, type RunReport } from './run.ts'
import { emptyCoverage, PlayedPoints } from './strikes.ts'

/** More than ten times what such a run takes: one that comes here does not end. */
const EVENTS_MAX = 1_000_000
const SECOND = 1_000

export interface CheckedOptions extends Pick<RunOptions, 'seed' | 'keys' | 'nodes'> {
  readonly virtualMsMax: number
  readonly controlDelayUs?: ControlDelay
}

export interface CheckedScene {
  readonly cluster: SimulatedCluster
  readonly desk: Desk
}

/** A short run that a scenario writes by hand, with every invariant checked. No fault strikes but those of `play`. */
export async function runChecked(
  { seed, keys, nodes, virtualMsMax, controlDelayUs }: CheckedOptions, hooks: RunHooks,
  play: (scene: CheckedScene) => Promise<void>,
): Promise<RunReport> {
  const { modules, definitions } = await loadActors(hooks.change)
  const options: RunOptions = {
    seed, keys, nodes, oods: 1, hours: 0, faults: 'none', store: 'embedded',
    only: undefined,
  }
  const programs = createPrograms()
  const secrets = new Set<string>()
  let cluster: SimulatedCluster | undefined
  let checks: ReturnType<typeof watchAll> | undefined
  const points: Points = { strikes: () => false, crashes: () => false, saw: (token, at) => checks?.token(token, at) }
  const told = () => ({
    options, plan: [], struck: [], coverage: emptyCoverage(), points: new PlayedPoints(seed, 'none').hits,
    wires: cluster?.world.wireCounts ?? { lost: 0, twice: 0, late: 0, changed: 0, held: 0 }, work: undefined,
    boots: cluster?.boots.length ?? 0, steps: [],
  })
  try {
    const { hash, events, virtualMs } = await simulate({
      seed, keys, modules, maxEvents: EVENTS_MAX, maxVirtualMs: virtualMsMax, points, programs,
      ...(hooks.onLine ? { onLine: hooks.onLine } : {}), ...(controlDelayUs ? { controlDelayUs } : {}),
      watch: {
        commit: (path, changes) => checks?.commit(path, changes),
        frame: (from, to, frame) => checks?.frame(from, to, frame),
        pem: (pem) => void secrets.add((pem.split('\n')[1] ?? '').slice(24)),
        file: (path, contents, mode) => {
          if (path.endsWith(`/${file.unsealKey}`) || path.includes(`/${file.recoveryShares}/`)) {
            secrets.add(new TextDecoder().decode(contents).trim())
          }
          checks?.file(path, contents, mode)
        },
      },
    }, async (world) => {
      const zone = cluster = new SimulatedCluster(world, nodes, programs)
      const heard = checks = watchAll({ world, cluster, definitions, secrets, revoked: new Map() })
      zone.trace.on('actor', (event) => heard.actor(event))
      zone.trace.on('host', (event) => heard.host(event))
      zone.trace.on('step', (event) => heard.step(event))
      zone.onBoot.push((boot) => heard.boot(boot))
      const eachSecond = (): void => {
        heard.second()
        world.clock.after(SECOND, eachSecond)
      }
      eachSecond()
      const desk = new Desk(zone, (secret) => void secrets.add(secret))
      await play({ cluster: zone, desk })
      await zone.stop()
    })
    return { ...told(), hash, events, virtualMs, failure: undefined }
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error
    return { ...told(), hash: '', events: error.events, virtualMs: error.virtualMs, failure: failureOf(error) }
  }
}
