import { kv } from '../../actors/records.ts'
import { limits } from '../../runtime/limits.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import type { StoreLocation } from '../../runtime/store/location.ts'
import { pause } from '../../runtime/within.ts'
import { krpcCall } from '../client/krpc.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { OOD } from './cluster.ts'
import { outcomeOf, type Login } from './desk.ts'
import { InvariantBroken } from './invariants.ts'
import { Leaders } from './invariants/leaders.ts'
import { drawOodStrikes, LED, silences, strikeOod, type OodStrike } from './oods/strikes.ts'
import type { RunOptions } from './options.ts'
import { QUIET } from './programs.ts'
import type { RunHooks, RunReport } from './run.ts'

const OODS = [2, 4] as const
const STRIKES = 4
const PAUSE_MS = [3_000, 10_000] as const
/** As DESIGN §7 promises: of true time, after a leader fell silent. */
const MOVES_MS = limits.leaderLeaseMs + 1_000
const CALL_MS = 5_000
const CHANGE_MS = [1_500, 4_000] as const
/** In which a leader has something to write, if there is one. */
const WRITES_MS = 8_000
const SERVICES_MAX = 3
const WRITE_MS = [500, 3_000] as const
const BACK_MS = 5 * 60_000
const OPERATOR_MS = 60_000
const LOOK_MS = 1_000
const HOUR = 3_600_000
const EVENTS_MAX = 6_000_000
const stores: StoreLocation = { type: 'etcd', endpoints: ['etcd'], prefix: `/${OOD}/zone` }

export interface OodsReport extends RunReport {
  readonly oods: number
  readonly strikes: readonly OodStrike[]
  /** Terms that began, writes that were bound to one, and how often another host took over. */
  readonly terms: number
  readonly fenced: number
  readonly moves: number
  readonly asked: number
  readonly acknowledged: number
}

/** Several OODs over one store: each is cut off, stands still and dies, and the zone goes on. */
export async function runOods({ seed, keys, oods: given }: RunOptions, hooks: RunHooks): Promise<OodsReport> {
  const random = new SeededRandom(`zonewright oods ${seed}`)
  const drawn = random.within(OODS)
  const played = new Played(random, seed, given > 1 ? given : drawn)
  const { oods } = played
  const report = await runChecked({
    seed, keys, nodes: 1, virtualMsMax: HOUR, eventsMax: EVENTS_MAX, etcd: 'beside', cluster: { oods, stores },
    watch: { commit: played.leaders.commit },
  }, played.leaders.watching(hooks), (scene) => played.play(scene))
  return { ...report, ...played.told() }
}

class Played {
  readonly oods: number
  readonly leaders = new Leaders(() => this.#scene!.cluster.world, (promise, detail) => this.#broken(promise, detail))
  readonly #random: SeededRandom
  readonly #seed: number
  readonly #strikes: OodStrike[] = []
  readonly #acknowledged = new Map<string, string>()
  #asked = 0
  #moves = 0
  #over = false
  #login: Login | undefined
  #scene: CheckedScene | undefined

  constructor(random: SeededRandom, seed: number, oods: number) {
    this.#random = random
    this.#seed = seed
    this.oods = oods
  }

  told(): Omit<OodsReport, keyof RunReport> {
    const { begun: terms, fenced } = this.leaders
    return {
      oods: this.oods, strikes: this.#strikes, terms, fenced, moves: this.#moves, asked: this.#asked,
      acknowledged: this.#acknowledged.size,
    }
  }

  get #world(): World {
    return this.#scene!.cluster.world
  }

  async play(scene: CheckedScene): Promise<void> {
    this.#scene = scene
    const { cluster, desk } = scene
    const { clock } = this.#world
    cluster.start()
    this.#login = await desk.until(() => false, () => desk.login())
    await this.#settles()
    const { oodNames } = cluster
    for (const host of oodNames) this.#use(host).catch((error: Error) => this.#world.fail(error))
    this.#changes().catch((error: Error) => this.#world.fail(error))
    for (const each of drawOodStrikes(this.#random, this.#seed, STRIKES, this.oods)) {
      await pause(clock, this.#random.within(PAUSE_MS))
      this.#strikes.push(each)
      await this.#strike(each, (each.leader && this.leaders.recorded(each.leader)) || oodNames[each.host]!)
    }
    await this.#settles()
    this.#over = true
    for (const host of oodNames) await this.#missing(host)
  }

  /** Until its time is over, with what has to hold meanwhile. */
  async #strike(each: OodStrike, host: string): Promise<void> {
    const { clock } = this.#world
    if (each.kind === 'pause') {
      // With a write of its term in its hands, if it leads
      await this.#nextWrite(host)
      this.leaders.sleeps(host)
    }
    const led = LED.filter((name) => this.leaders.recorded(name) === host)
    const heal = strikeOod(this.#scene!.cluster, host, each)
    await pause(clock, MOVES_MS)
    for (const name of led) {
      const now = this.leaders.recorded(name)
      const isLed = silences(each) ? now !== '' && now !== host : this.leaders.believed(name).length > 0
      if (!isLed) this.#broken('leader-moves', `${MOVES_MS} ms after ${each.kind} of ${host} ${name} has no leader`)
      if (now !== host) this.#moves++
    }
    if (silences(each)) await this.#goesOn(host, each)
    await pause(clock, each.lengthMs - MOVES_MS)
    heal()
  }

  /** Settles as a write of a term begins there, or when none has. */
  #nextWrite(host: string): Promise<void> {
    return new Promise((resolve) => {
      const begun = (): void => {
        this.leaders.onWrite = () => false
        resolve()
      }
      this.leaders.onWrite = (at) => {
        if (at === host) begun()
        return at === host
      }
      this.#world.clock.after(WRITES_MS, begun)
    })
  }

  /** Whoever asks another OOD is answered. */
  async #goesOn(without: string, { kind }: OodStrike): Promise<void> {
    const { oodNames } = this.#scene!.cluster
    const others = oodNames.filter((host) => host !== without)
    const answers = await Promise.all(others.map((host) => this.#write(host)))
    others.forEach((host, index) => {
      if (!answers[index]) this.#broken('leader-moves', `${host} takes no write after ${kind} of ${without}`)
    })
  }

  async #use(host: string): Promise<void> {
    const draws = this.#random.fork(`use of ${host}`)
    while (!this.#over) {
      await this.#write(host)
      await pause(this.#world.clock, draws.within(WRITE_MS))
    }
  }

  /** Whoever leads the scheduler has to write: services come, by whichever OOD, and are told to stop. */
  async #changes(): Promise<void> {
    const { oodNames } = this.#scene!.cluster
    const draws = this.#random.fork('services')
    for (let number = 1; !this.#over; number++) {
      const host = oodNames[draws.within([0, oodNames.length - 1])]!
      const name = `s${number}`
      const written = { key: kv.spec(name), value: JSON.stringify(quiet(name)) }
      await outcomeOf(this.#call(host, 'sys_config_create', written))
      if (number > SERVICES_MAX) {
        const old = kv.spec(`s${number - SERVICES_MAX}`)
        await outcomeOf(this.#call(host, 'sys_config_delete', { key: old }))
      }
      await pause(this.#world.clock, draws.within(CHANGE_MS))
    }
  }

  /** False where nothing is known of it. */
  async #write(host: string): Promise<boolean> {
    const number = ++this.#asked
    const [key, value] = [`users/owner/sim/${host}-${number}`, JSON.stringify({ number })]
    const outcome = await outcomeOf(this.#call(host, 'sys_config_create', { key, value }))
    if (outcome.type !== 'done') return false
    this.#acknowledged.set(key, value)
    return true
  }

  /** By the gateway of that host. */
  async #call(host: string, method: string, params: object): Promise<unknown> {
    const { cluster, desk } = this.#scene!
    const port = host === OOD ? cluster.port : cluster.zone?.oods().find((one) => one.host === host)?.address.port ?? 0
    const { transport, clock } = desk.platform
    const { token } = this.#login!
    return krpcCall({ transport, clock, hostname: host, port }, {
      service: 'system_config', method, params, token, withinMs: CALL_MS,
    })
  }

  async #settles(): Promise<void> {
    const { cluster } = this.#scene!
    const began = this.#world.nowUs
    let restarted = false
    for (;;) {
      const waiting = await this.#waiting()
      if (waiting.length === 0) return
      const tookMs = (this.#world.nowUs - began) / 1_000
      if (tookMs > BACK_MS) throw new InvariantBroken('liveness', waiting.join('; '))
      // Of what was given up the control plane itself stays down until an operator starts the zone again
      if (!restarted && tookMs > OPERATOR_MS && waiting.some((what) => what.includes('failed'))) {
        restarted = true
        await cluster.restart()
      }
      await pause(this.#world.clock, LOOK_MS)
    }
  }

  async #waiting(): Promise<readonly string[]> {
    const { zone, oodNames, hostNames } = this.#scene!.cluster
    if (!zone) return ['the zone boots']
    const hosts = zone.hosts().flatMap(({ host, state, reason, actors }) => [
      ...(state === 'serving' ? [] : [`${host} is ${state}: ${reason}`]),
      ...actors.filter((actor) => actor.state !== 'serving' && actor.state !== 'stopped')
        .map((actor) => `${actor.name} on ${host} is ${actor.state}: ${actor.reason}`),
    ])
    if (hosts.length > 0 || zone.hosts().length < hostNames.length) return [...hosts, 'not every host is there']
    const led = LED.filter((name) => this.leaders.believed(name).length !== 1).map((name) => `nobody leads ${name}`)
    const answers = await Promise.all(oodNames.map((host) => this.#write(host)))
    return [...led, ...oodNames.filter((_, index) => !answers[index]).map((host) => `${host} takes no write`)]
  }

  /** Each acknowledged write is there for each OOD. */
  async #missing(host: string): Promise<void> {
    for (const [key, value] of this.#acknowledged) {
      const found = await this.#call(host, 'sys_config_get', { key }) as { value?: unknown } | null
      if (found?.value !== value) throw new InvariantBroken('acknowledged-write', `${key} by ${host}: ${found?.value}`)
    }
  }

  #broken(promise: string, detail: string): void {
    this.#world.fail(new InvariantBroken(promise, detail))
  }
}

const quiet = (name: string): object => ({
  name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], run: { command: [QUIET] },
})
