import type { NeedsGraph } from '../../runtime/needs.ts'
import { limits } from '../../runtime/limits.ts'
import type { ControlDelay } from '../../runtime/sim/simulate.ts'
import { pause } from '../../runtime/within.ts'
import { CONTROL } from '../ood.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { OOD, type SimulatedCluster } from './cluster.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { fallsWith, needsOf, ONCE, threadOf } from './orders.ts'
import { RestartModel, type Expected } from './restart-model.ts'
import { loadActors, type RunHooks, type RunReport } from './run.ts'

export type RestartVariant = (typeof restartVariants)[number]
export const restartVariants = ['too-often', 'one-less', 'just-in-window', 'a-window-later', 'as-it-starts'] as const

/** What dies again and again, and how. */
export interface RestartCase {
  readonly index: number
  readonly host: string
  /** Without one it is the host that dies. */
  readonly actor: string | undefined
  readonly variant: RestartVariant
}

export const NODE = 'node1'
const VIRTUAL_MS_MAX = 30 * 60_000
const MS = 1_000
/** What a worker says, and that it has ended, takes so long: its deaths are known to the microsecond. */
const SAYS_US = 100
const WAIT_MS = 60_000
/** In which those that need it have found out: each loads its module first. */
const DEPENDENTS_MS = 500
const LOOK_MS = 10

/** Every actor of the first host, the daemon of a node, and both hosts. */
export const restartCases: readonly RestartCase[] = [
  ...[...threadOf.keys()].filter((name) => name !== ONCE).map((actor) => ({ host: OOD, actor })),
  { host: NODE, actor: 'node-daemon' }, { host: OOD, actor: undefined }, { host: NODE, actor: undefined },
].flatMap((target) => restartVariants.map((variant) => ({ ...target, variant })))
  .map((one, index) => ({ ...one, index }))

export const describeRestartCase = ({ index, host, actor, variant }: RestartCase): string =>
  `case ${index}: ${actor === undefined ? host : `${actor} on ${host}`} dies ${variant}`

export interface RestartReport extends RunReport {
  readonly case: RestartCase
  /** Deaths that were answered by a restart, each at the expected moment, and by giving up. */
  readonly restarted: number
  readonly failed: number
}

/** The case that the seed counts up to. */
export async function runRestartIntensity(
  { seed, keys }: Pick<RunOptions, 'seed' | 'keys'>, hooks: RunHooks = {},
): Promise<RestartReport> {
  const one = restartCases[seed % restartCases.length]!
  const played = new Played(one, needsOf((await loadActors(hooks.change)).definitions))
  const report = await runChecked({
    seed, keys, nodes: one.host === OOD ? 0 : 1, virtualMsMax: VIRTUAL_MS_MAX, controlDelayUs: played.delayUs,
  }, hooks, (scene) => played.play(scene))
  return { ...report, case: one, restarted: played.restarted, failed: played.failed }
}

/** A state that was told of, and when in true time. */
interface Told {
  readonly atUs: number
  readonly host: string
  readonly actor: string | undefined
  readonly state: string
  readonly reason: string
}

class Played {
  restarted = 0
  failed = 0
  readonly #case: RestartCase
  readonly #needs: NeedsGraph
  /** What dies now. */
  #target: Pick<RestartCase, 'host' | 'actor'>
  readonly #told: Told[] = []
  #cluster!: SimulatedCluster
  #model!: RestartModel

  constructor(one: RestartCase, needs: NeedsGraph) {
    this.#case = this.#target = one
    this.#needs = needs
  }

  readonly delayUs: ControlDelay = ({ kind, host, worker }) => {
    const says = kind === 'exit' || kind === 'event' || kind.endsWith('-answer')
    return says && host === this.#target.host && worker === this.#worker ? SAYS_US : undefined
  }

  async play({ cluster, desk }: CheckedScene): Promise<void> {
    this.#cluster = cluster
    const { world, trace } = cluster
    const { variant } = this.#case
    trace.on('actor', (event) => void this.#told.push({ ...event, atUs: world.nowUs }))
    trace.on('host', (event) => void this.#told.push({ ...event, actor: undefined, atUs: world.nowUs }))
    cluster.start()
    await this.#until('the zone to serve', () => cluster.zone !== undefined && this.#state() === 'serving')
    this.#model = this.#newModel()
    const firstUs = await this.#dies()
    for (let death = 2; death <= limits.restarts; death++) await this.#dies()
    const windowUs = firstUs + limits.restartWindowMs * MS
    if (variant === 'too-often' || variant === 'as-it-starts') await this.#dies()
    if (variant === 'just-in-window') await this.#dies(windowUs - 1)
    if (variant === 'a-window-later') await this.#dies(windowUs)
    const givenUp = variant !== 'one-less' && variant !== 'a-window-later'
    if (this.failed !== Number(givenUp)) this.#broken(`it was given up ${this.failed} times`)
    if (givenUp) await this.#staysDown()
    else if (variant === 'one-less') await this.#costsOthersNothing()
    await this.#until('all to serve', () => cluster.zone !== undefined && this.#allServe())
    await desk.login()
  }

  /** What the first host's process draws is known, for the lives of all hosts too; a node's platform is its own. */
  #newModel(): RestartModel {
    const { host, actor } = this.#target
    const random = actor !== undefined && host !== OOD ? undefined : this.#cluster.boot?.main.platform.random
    return new RestartModel(random?.fork(`restart ${actor ?? `host ${host}`}`))
  }

  /** What needs it went down with it each time, and none of that counts as a death of its own. */
  async #costsOthersNothing(): Promise<void> {
    for (const name of this.#falls()) {
      if (name === this.#case.actor) continue
      this.#target = { host: OOD, actor: name }
      this.#model = this.#newModel()
      await this.#dies()
    }
    this.#target = this.#case
  }

  /** What goes when it goes. */
  #falls(): ReadonlySet<string> {
    const { host, actor } = this.#case
    if (actor === undefined) return new Set()
    return host === OOD ? fallsWith(this.#needs, this.#worker) : new Set([actor])
  }

  /** Dies when it serves, or as the case says; at a whole millisecond, or when it is told. @returns when it died */
  async #dies(atUs?: number): Promise<number> {
    const { world } = this.#cluster
    const { host, actor } = this.#target
    const early = this.#case.variant === 'as-it-starts' && this.restarted > 0
    if (!early) await this.#until('it to serve', () => this.#allServe())
    const saysUs = actor === undefined ? 0 : SAYS_US
    const diesUs = atUs ?? (Math.floor(world.nowUs / MS) + 3) * MS
    await pause(world.clock, (diesUs - saysUs - world.nowUs) / MS)
    if (this.#state() !== (early ? 'starting' : 'serving')) this.#broken(`it was ${this.#state()} when it was to die`)
    const from = this.#told.length
    const killed = actor === undefined ? this.#cluster.crash(host) : world.killWorker(host, this.#worker)
    if (!killed) this.#broken('there was nothing to kill')
    await this.#follows(from, diesUs, this.#model.death(diesUs), early)
    return diesUs
  }

  async #follows(from: number, diesUs: number, expected: Expected, early: boolean): Promise<void> {
    const { actor } = this.#target
    const find = (state: string): Told | undefined =>
      this.#told.slice(from).find((told) => this.#isIt(told) && told.state === state)
    if (expected.type === 'failed') {
      await pause(this.#cluster.world.clock, 2)
      const found = find('failed')
      if (found?.atUs !== expected.atUs) {
        this.#broken(`it died for the last time at ${expected.atUs} us, and was given up at ${found?.atUs} us`)
      }
      if (!found?.reason.includes(tooOften)) this.#broken(`it was given up for another reason: ${found?.reason}`)
      this.failed++
      return
    }
    await this.#until('its restart', () => find('starting') !== undefined)
    const { leastUs, mostUs, exactUs } = expected
    const [gone, starting] = [find(early || actor === undefined ? 'restarting' : 'died'), find('starting')]
    if (gone?.atUs !== diesUs) this.#broken(`it died at ${diesUs} us, and that was told at ${gone?.atUs} us`)
    const atUs = starting?.atUs ?? 0
    if (atUs < leastUs || atUs > mostUs || (exactUs !== undefined && atUs !== exactUs)) {
      const due = `${leastUs}..${mostUs}${exactUs === undefined ? '' : `, ${exactUs}`}`
      this.#broken(`it died at ${diesUs} us and started at ${atUs} us; due: ${due}`)
    }
    this.restarted++
  }

  /** With what needs it, and nothing else; until somebody starts it again. */
  async #staysDown(): Promise<void> {
    const { host, actor } = this.#case
    const from = this.#told.findLastIndex((told) => this.#isIt(told) && told.state === 'failed')
    await pause(this.#cluster.world.clock, DEPENDENTS_MS)
    const since = this.#told.slice(from)
    const falls = this.#falls()
    for (const name of falls) {
      const own = since.filter((told) => told.host === host && told.actor === name)
      if (!own.some(({ state, reason }) => state === 'failed' && reason.includes(tooOften))) {
        this.#broken(`${name} needs it, and is not given up: ${own.map(({ state }) => state).join(', ')}`)
      }
    }
    const others = since.filter((told) => told.host !== host || told.actor === undefined || !falls.has(told.actor))
    if (actor !== undefined && others.length > 0) {
      this.#broken(`others were touched: ${others.map((told) => `${told.actor} ${told.state}`).join(', ')}`)
    }
    await pause(this.#cluster.world.clock, limits.convergeRoundMs + WAIT_MS)
    // The daemon starts what the node config wants again, in its next round; of the rest an operator has to
    if (actor !== undefined && !CONTROL.includes(actor)) return
    if (this.#told.slice(from + 1).some((told) => this.#isIt(told))) this.#broken('it did not stay down')
    await this.#cluster.restart()
  }

  get #worker(): string {
    const { host, actor = '' } = this.#target
    return host === OOD ? threadOf.get(actor) ?? '' : actor
  }

  #isIt({ host, actor }: Pick<Told, 'host' | 'actor'>): boolean {
    return host === this.#target.host && actor === this.#target.actor
  }

  #state(): string {
    const { host, actor } = this.#target
    const found = this.#cluster.boot?.hosts.hosts().find((each) => each.host === host)
    return (actor === undefined ? found : found?.actors.find(({ name }) => name === actor))?.state ?? 'not there'
  }

  #allServe(): boolean {
    const hosts = this.#cluster.boot?.hosts.hosts() ?? []
    // The scheduler places nothing on the node, and the boot scheduler is for a boot
    const idle = (host: string, name: string): boolean => name === ONCE || (host !== OOD && name === 'service')
    return hosts.every(({ host, state, actors }) => state === 'serving'
      && actors.every((each) => each.state === 'serving' || idle(host, each.name)))
  }

  async #until(what: string, reached: () => boolean): Promise<void> {
    const { world } = this.#cluster
    const untilUs = world.nowUs + WAIT_MS * MS
    while (!reached()) {
      if (world.nowUs > untilUs) this.#broken(`${WAIT_MS} ms were not enough for ${what}: it is ${this.#state()}`)
      await pause(world.clock, this.#case.variant === 'as-it-starts' ? 1 : LOOK_MS)
    }
  }

  #broken(detail: string): never {
    throw new InvariantBroken('restart-intensity', `${describeRestartCase(this.#case)}: ${detail}`)
  }
}

const tooOften = `died more than ${limits.restarts} times in ${limits.restartWindowMs / 1_000} s`
