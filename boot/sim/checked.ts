import type { Points } from '../../runtime/sim/points.ts'
import { SimulationFailed, simulate, type ControlDelay, type SimulateOptions } from '../../runtime/sim/simulate.ts'
import type { ActorSpec } from '../../runtime/spec.ts'
import { SimulatedCluster, type ClusterOptions } from './cluster.ts'
import { Desk } from './desk.ts'
import { Lookout } from './lookout.ts'
import type { RunOptions } from './options.ts'
import { createPrograms } from './programs.ts'
import { failureOf, loadActors, type RunHooks, type RunReport } from './run.ts'
import { emptyCoverage, PlayedPoints } from './strikes.ts'

const EVENTS_MAX = 1_000_000

export interface CheckedOptions extends Pick<RunOptions, 'seed' | 'keys' | 'nodes'> {
  readonly virtualMsMax: number
  /** One that comes there does not end. Default: more than ten times what a short run takes. */
  readonly eventsMax?: number
  readonly controlDelayUs?: ControlDelay
  readonly etcd?: SimulateOptions['etcd']
  readonly cluster?: ClusterOptions
  /** Actors beside those of every zone. */
  readonly actors?: readonly ActorSpec[]
  /** Whom people at the desk call beside those of every run. */
  readonly audiences?: readonly string[]
  /** Sees what every invariant sees. */
  readonly watch?: Pick<NonNullable<SimulateOptions['watch']>, 'commit' | 'file'>
}

export interface CheckedScene {
  readonly cluster: SimulatedCluster
  readonly desk: Desk
  readonly lookout: Lookout
}

/** A short run that a scenario writes by hand, with every invariant checked. No fault strikes but those of `play`. */
export async function runChecked(
  {
    seed, keys, nodes, virtualMsMax, eventsMax = EVENTS_MAX, controlDelayUs, etcd = false, cluster: more, actors = [],
    audiences = [], watch: own,
  }: CheckedOptions,
  hooks: RunHooks, play: (scene: CheckedScene) => Promise<void>,
): Promise<RunReport> {
  const { modules, definitions } = await loadActors(hooks.change, actors)
  const options: RunOptions = {
    seed, keys, nodes, oods: 1, hours: 0, faults: 'none', store: 'embedded', only: undefined,
  }
  const programs = createPrograms()
  const lookout = new Lookout(definitions)
  const { watch } = lookout
  const both: typeof watch = {
    ...watch,
    commit: (path, changes) => {
      watch.commit(path, changes)
      own?.commit?.(path, changes)
    },
    file: (path, contents, mode) => {
      watch.file(path, contents, mode)
      own?.file?.(path, contents, mode)
    },
  }
  const points: Points = { strikes: () => false, crashes: () => false, saw: lookout.saw }
  const told = () => ({
    options, plan: [], struck: [], coverage: emptyCoverage(), points: new PlayedPoints(seed, 'none').hits,
    wires: lookout.wires, work: undefined, boots: lookout.boots, steps: lookout.steps,
  })
  try {
    const { hash, events, virtualMs } = await simulate({
      seed, keys, modules, maxEvents: eventsMax, maxVirtualMs: virtualMsMax, points, programs, etcd,
      watch: both,
      ...(hooks.onLine ? { onLine: hooks.onLine } : {}), ...(controlDelayUs ? { controlDelayUs } : {}),
    }, async (world) => {
      const cluster = new SimulatedCluster(world, nodes, programs, more)
      lookout.follow(cluster)
      const desk = new Desk(cluster, (password) => void lookout.secrets.add(password), audiences)
      await play({ cluster, lookout, desk })
      await cluster.stop()
    })
    return { ...told(), hash, events, virtualMs, failure: undefined }
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error
    return { ...told(), hash: '', events: error.events, virtualMs: error.virtualMs, failure: failureOf(error) }
  }
}
