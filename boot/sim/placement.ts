import { kv, type ServiceSpec } from '../../actors/records.ts'
import { limits } from '../../runtime/limits.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { pause } from '../../runtime/within.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { outcomeOf, type Login } from './desk.ts'
import { wires } from './faults.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { QUIET } from './programs.ts'
import type { RunHooks, RunReport } from './run.ts'

/** A zone of an OOD and so many nodes, whose services have to share what there is. */
const NODES = 4
const STRIKES = 30
const SERVICES = 9
/** Between two strikes, and how long a host is cut off: now and then for longer than it takes to be given up. */
const PAUSE_MS = [5_000, 90_000] as const
const CUT_MS = [20_000, 360_000] as const
/** In which all is as the config says once nothing is wrong any more: a round, and what it starts. */
const SETTLE_MS = limits.hostLostMs + limits.nodeDownMs + limits.schedulerRoundMs + 4 * limits.startMs
const LOOK_MS = 1_000
const HOUR = 3_600_000
const EVENTS_MAX = 6_000_000

export interface PlacementReport extends RunReport {
  /** How often a host was given up by silence, or drained, so that something was moved. */
  readonly moves: number
}

/** Hosts are cut off, crash and are drained, for short and for long; what they ran goes elsewhere, and runs once. */
export async function runPlacement({ seed, keys }: RunOptions, hooks: RunHooks): Promise<PlacementReport> {
  const played = new Played(new SeededRandom(`zonewright placement ${seed}`))
  const scene = { seed, keys, nodes: NODES, virtualMsMax: 3 * HOUR, eventsMax: EVENTS_MAX }
  const report = await runChecked(scene, hooks, (given) => played.play(given))
  return { ...report, moves: played.moves }
}

class Played {
  moves = 0
  readonly #random: SeededRandom
  #login: Login | undefined

  constructor(random: SeededRandom) {
    this.#random = random
  }

  async play(scene: CheckedScene): Promise<void> {
    const { cluster, desk } = scene
    const { world } = cluster
    cluster.start()
    this.#login = await desk.until(() => false, () => desk.login())
    // Until every host has told what it has
    await pause(world.clock, 3 * limits.reportMs)
    for (let index = 0; index < SERVICES; index++) {
      const spec = this.#spec(`s${index}`)
      const written = { key: kv.spec(spec.name), value: JSON.stringify(spec) }
      await this.#call(scene, 'system_config', 'sys_config_create', written)
    }
    await pause(world.clock, 10_000)
    const restores: (() => void)[] = []
    let before = placedIn(scene)
    for (let strike = 0; strike < STRIKES; strike++) {
      restores.push(await this.#strike(scene))
      await pause(world.clock, this.#random.within(PAUSE_MS))
      const now = placedIn(scene)
      this.moves += [...now].filter((one) => !before.has(one)).length
      before = now
    }
    for (const restore of restores) restore()
    for (const host of cluster.hostNames) await this.#call(scene, 'scheduler', 'undrain', { host })
    await this.#settles(scene)
  }

  #spec(name: string): ServiceSpec {
    const within = (least: number, most: number): number => this.#random.within([least, most])
    return {
      name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], run: { command: [QUIET] },
      resources: { memoryBytes: within(50, 400), processors: within(10, 100) },
      labels: { machine: 'simulated' }, replicas: within(0, 3) === 0 ? 2 : 1,
      ...(within(0, 5) === 0 ? { stateful: true } : {}),
    }
  }

  /** @returns how it is made good; what is over by then is made good again, which changes nothing */
  async #strike(scene: CheckedScene): Promise<() => void> {
    const { cluster } = scene
    const { world } = cluster
    const random = this.#random
    const node = cluster.hostNames[random.within([1, NODES])]!
    const kind = random.within([0, 7])
    if (kind === 0) await this.#call(scene, 'scheduler', 'drain', { host: node })
    if (kind === 1) await this.#call(scene, 'scheduler', 'undrain', { host: node })
    if (kind === 2) cluster.crash(node)
    if (kind === 3) {
      const actor = ['scheduler', 'node-monitor', 'node-daemon'][random.within([0, 2])]
      await this.#call(scene, 'node-daemon', 'kill', { host: actor === 'node-daemon' ? node : 'ood1', actor })
    }
    if (kind < 4) return () => {}
    const cut = kind === 4 ? 'hold' : 'drop'
    const restore = wires(cluster, node, { cut }, kind === 5 ? 'out' : 'both')
    world.clock.after(random.within(CUT_MS), restore)
    return restore
  }

  async #call(
    { desk }: CheckedScene, service: 'system_config' | 'scheduler' | 'node-daemon', method: string, params: object,
  ): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const outcome = await outcomeOf(desk.call(service, method, params, this.#login?.token))
      if (outcome.type === 'done') return
      // The session has ended, or the zone is busy
      if (outcome.type === 'refused') this.#login = await desk.until(() => false, () => desk.login())
    }
  }

  /** What runs is what is placed, nothing is without a reason, and nobody is called lost any more. */
  async #settles(scene: CheckedScene): Promise<void> {
    const { cluster, cluster: { world } } = scene
    const untilUs = world.nowUs + SETTLE_MS * 1_000
    for (;;) {
      const placed = placedIn(scene)
      const runs = new Set(cluster.programs.running().map(({ host, env }) => `${env['ZONEWRIGHT_SERVICE']} ${host}`))
      const missing = [...placed].filter((one) => !runs.has(one))
      const extra = [...runs].filter((one) => !placed.has(one))
      if (placed.size > 0 && missing.length === 0 && extra.length === 0) return
      if (world.nowUs > untilUs) {
        throw new InvariantBroken('liveness', `does not run: ${missing.join()}; runs unplaced: ${extra.join()}`)
      }
      await pause(world.clock, LOOK_MS)
    }
  }
}

/** By the config as it was committed last: service and host. */
const placedIn = ({ lookout }: CheckedScene): ReadonlySet<string> => lookout.placed.running()
