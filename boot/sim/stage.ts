import type { ActorDefinition } from '../../runtime/actor.ts'
import type { Points } from '../../runtime/sim/points.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import { pause } from '../../runtime/within.ts'
import { SimulatedCluster } from './cluster.ts'
import { Desk } from './desk.ts'
import type { PlannedFault } from './faults.ts'
import { InvariantBroken } from './invariants.ts'
import { settle } from './liveness.ts'
import { Lookout } from './lookout.ts'
import type { RunOptions } from './options.ts'
import { createPrograms } from './programs.ts'
import { PlayedPoints, Strikes } from './strikes.ts'
import { Workload } from './workload.ts'

const HOUR = 3_600_000

/** One run, inside the simulated world: the zone, what strikes it, who uses it, and who looks. */
export class Stage {
  readonly lookout: Lookout
  readonly played: PlayedPoints
  readonly programs = createPrograms()
  readonly points: Points
  strikes: Strikes | undefined
  workload: Workload | undefined
  readonly #options: RunOptions
  readonly #plan: readonly PlannedFault[]

  constructor(
    options: RunOptions, plan: readonly PlannedFault[], definitions: ReadonlyMap<string, ActorDefinition>,
  ) {
    this.#options = options
    this.#plan = plan
    this.lookout = new Lookout(definitions)
    const played = this.played = new PlayedPoints(options.seed, options.faults)
    this.points = {
      strikes: (point) => played.strikes(point), crashes: (point, at) => played.crashes(point, at),
      saw: this.lookout.saw,
    }
  }

  /** Two phases: faults, with every invariant checked; then all is made good, and has to come back. */
  async run(world: World): Promise<void> {
    const { secrets, revoked } = this.lookout
    const cluster = new SimulatedCluster(world, this.#options.nodes, this.programs)
    this.lookout.follow(cluster)
    const desk = new Desk(cluster, (password) => void secrets.add(password))
    const workload = this.workload = new Workload(cluster, desk, revoked, (invariant, detail) =>
      world.fail(new InvariantBroken(invariant, detail)))
    const strikes = this.strikes = new Strikes(cluster, this.#plan)
    cluster.start()
    workload.start()
    await pause(world.clock, this.#options.hours * HOUR)
    strikes.end()
    this.played.end()
    await settle(cluster, desk, workload, this.lookout.needs)
    await cluster.stop()
  }
}
