import type { ActorDefinition } from '../../runtime/actor.ts'
import type { Points } from '../../runtime/sim/points.ts'
import type { SimulateOptions } from '../../runtime/sim/simulate.ts'
import type { WireCounts } from '../../runtime/sim/wires.ts'
import type { StepEvent } from '../../runtime/trace.ts'
import { file } from '../init.ts'
import type { SimulatedCluster } from './cluster.ts'
import { watchAll } from './invariants.ts'
import { changesOf, Placement } from './invariants/placement.ts'
import { needsByHost } from './invariants/order.ts'

const SECOND = 1_000

/** Looks on at one run, and lets every invariant hear what it asked for. */
export class Lookout {
  /** What must not be seen anywhere. */
  readonly secrets = new Set<string>()
  /** Session ids of acknowledged logouts, with the true milliseconds of each. */
  readonly revoked = new Map<string, number>()
  /** Documented steps of the first boot, until it serves or ends. */
  readonly steps: StepEvent[] = []
  /** Where services are to run, as it was committed last. */
  readonly placed = new Placement()
  /** What an actor of a host needs on its own host. */
  readonly needs: ReturnType<typeof needsByHost>
  readonly #place = changesOf((change) => void this.placed.apply(change))
  readonly #definitions: ReadonlyMap<string, ActorDefinition>
  #cluster: SimulatedCluster | undefined
  #checks: ReturnType<typeof watchAll> | undefined

  constructor(definitions: ReadonlyMap<string, ActorDefinition>) {
    this.#definitions = definitions
    this.needs = needsByHost(definitions)
  }

  get boots(): number {
    return this.#cluster?.boots.length ?? 0
  }

  get wires(): Readonly<WireCounts> {
    return this.#cluster?.world.wireCounts ?? { lost: 0, twice: 0, late: 0, changed: 0, held: 0 }
  }

  readonly watch: Required<NonNullable<SimulateOptions['watch']>> = {
    commit: (path, changes) => {
      this.#place(path, changes)
      this.#checks?.commit(path, changes)
    },
    frame: (from, to, frame) => this.#checks?.frame(from, to, frame),
    pem: (pem) => void this.secrets.add(bodyOf(pem)),
    file: (path, contents, mode) => {
      if (path.endsWith(`/${file.unsealKey}`) || path.includes(`/${file.recoveryShares}/`)) {
        this.secrets.add(new TextDecoder().decode(contents).trim())
      }
      this.#checks?.file(path, contents, mode)
    },
  }

  readonly saw: Points['saw'] = (sighting, at) => this.#checks?.token(sighting, at)

  /** From now on: before the cluster starts. */
  follow(cluster: SimulatedCluster): void {
    this.#cluster = cluster
    const { world, trace } = cluster
    const { secrets, revoked } = this
    const checks = this.#checks = watchAll({ world, cluster, definitions: this.#definitions, secrets, revoked })
    trace.on('*', (type, event) => checks.told(`${type} ${JSON.stringify(event)}`))
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
