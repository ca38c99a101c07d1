import type { ActorDefinition } from '../../runtime/actor.ts'
import type { Points } from '../../runtime/sim/points.ts'
import type { SimulateOptions, World } from '../../runtime/sim/simulate.ts'
import type { WireCounts } from '../../runtime/sim/wires.ts'
import type { StepEvent } from '../../runtime/trace.ts'
import { pause } from '../../runtime/within.ts'
import { file } from '../init.ts'
import { SimulatedCluster } from './cluster.ts'
import { Desk } from './desk.ts'
import type { PlannedFault } from './faults.ts'
import { InvariantBroken, watchAll } from './invariants.ts'
import { settle } from './liveness.ts'
import type { RunOptions } from './options.ts'
import { createPrograms } from './programs.ts'
import { PlayedPoints, Strikes } from './strikes.ts'
import { Workload } from './workload.ts'

const HOUR = 3_600_000
const SECOND = 1_000

type Watch = Required<NonNullable<SimulateOptions['watch']>>

/** One run, inside the simulated world: the zone, what strikes it, who uses it, and who looks. */
export class Stage {
  readonly played: PlayedPoints
  readonly programs = createPrograms()
  strikes: Strikes | undefined
  workload: Workload | undefined
  /** Documented steps of the first boot, until it serves or ends. */
  readonly steps: StepEvent[] = []
  readonly #options: RunOptions
  readonly #plan: readonly PlannedFault[]
  readonly #definitions: ReadonlyMap<string, ActorDefinition>
  readonly #secrets = new Set<string>()
  readonly #revoked = new Map<string, number>()
  #cluster: SimulatedCluster | undefined
  #checks: ReturnType<typeof watchAll> | undefined

  constructor(
    options: RunOptions, plan: readonly PlannedFault[], definitions: ReadonlyMap<string, ActorDefinition>,
  ) {
    this.#options = options
    this.#plan = plan
    this.#definitions = definitions
    this.played = new PlayedPoints(options.seed, options.faults)
  }

  get boots(): number {
    return this.#cluster?.boots.length ?? 0
  }

  get wires(): Readonly<WireCounts> {
    return this.#cluster?.world.wireCounts ?? { lost: 0, twice: 0, late: 0, changed: 0, held: 0 }
  }

  readonly points: Points = {
    strikes: (point) => this.played.strikes(point),
    crashes: (point, at) => this.played.crashes(point, at),
    saw: (sighting, at) => this.#checks?.token(sighting, at),
  }

  readonly watch: Watch = {
    commit: (path, changes) => this.#checks?.commit(path, changes),
    frame: (from, to, frame) => this.#checks?.frame(from, to, frame),
    pem: (pem) => void this.#secrets.add(bodyOf(pem)),
    file: (path, contents, mode) => {
      if (path.endsWith(`/${file.unsealKey}`) || path.includes(`/${file.recoveryShares}/`)) {
        this.#secrets.add(new TextDecoder().decode(contents).trim())
      }
      this.#checks?.file(path, contents, mode)
    },
  }

  /** Two phases: faults, with every invariant checked; then all is made good, and has to come back. */
  async run(world: World): Promise<void> {
    const cluster = this.#cluster = new SimulatedCluster(world, this.#options.nodes, this.programs)
    this.#listen(cluster)
    const desk = new Desk(cluster, (password) => void this.#secrets.add(password))
    const workload = this.workload = new Workload(cluster, desk, this.#revoked, (invariant, detail) =>
      world.fail(new InvariantBroken(invariant, detail)))
    const strikes = this.strikes = new Strikes(cluster, this.#plan)
    cluster.start()
    workload.start()
    await pause(world.clock, this.#options.hours * HOUR)
    strikes.end()
    this.played.end()
    await settle(cluster, desk, workload)
    await cluster.stop()
  }

  #listen(cluster: SimulatedCluster): void {
    const { world, trace } = cluster
    const checks = this.#checks = watchAll({
      world, cluster, definitions: this.#definitions, secrets: this.#secrets, revoked: this.#revoked,
    })
    trace.on('actor', (event) => checks.actor(event))
    trace.on('host', (event) => checks.host(event))
    trace.on('step', (event) => {
      if (cluster.boots.length === 1 && cluster.boot?.state === 'boots') this.steps.push(event)
      checks.step(event)
    })
    cluster.onBoot.push((boot) => checks.boot(boot))
    const eachSecond = (): void => {
      checks.second()
      world.clock.after(SECOND, eachSecond)
    }
    eachSecond()
  }
}

/** What is between the lines of a PEM, without the bytes that every private key of this kind begins with. */
const bodyOf = (pem: string): string => (pem.split('\n')[1] ?? '').slice(24)
