import { kv } from '../../actors/records.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { pause } from '../../runtime/within.ts'
import { catalogue, hostCatalogue } from '../catalogue.ts'
import { defaultConfig } from '../config.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { FOLDER, OOD } from './cluster.ts'
import { JOIN_PORT, Machine } from './hosts/machine.ts'
import { Operator } from './hosts/operator.ts'
import { HostPromises } from './hosts/promises.ts'
import {
  draws, JOIN_STRIKE_MS, joinStrikes, strike, strikeJoin, type HostStrike, type JoinStrike,
} from './hosts/strikes.ts'
import { Use } from './hosts/use.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { WEB, WEB_PATH, WEB_PORT } from './programs.ts'
import type { RunHooks, RunReport } from './run.ts'

const HOSTS = [2, 4] as const
const STRIKES = 8
const PAUSE_MS = [2_000, 15_000] as const
const BETWEEN_JOINS_MS = [0, 4_000] as const
/** Milliseconds in which every host is back once nothing is wrong any more, and between two looks. */
const BACK_MS = 5 * 60_000
const LOOK_MS = 1_000
const HOUR = 3_600_000
const EVENTS_MAX = 3_000_000
const CONFIG = `addr: ${OOD}:${JOIN_PORT}\ntls_config: { enable: true }\n`

export interface HostsReport extends RunReport {
  readonly hosts: number
  readonly strikes: readonly HostStrike[]
  /** Of each join, in their order. */
  readonly joinStrikes: readonly JoinStrike[]
  readonly redeemed: number
  readonly robbed: number
  readonly revoked: number
  /** Writes through tunnels, and those that were acknowledged. */
  readonly asked: number
  readonly acknowledged: number
}

/** Hosts join by token over TLS, and run services; what is between them and the zone fails, and they are back. */
export async function runHosts({ seed, keys }: RunOptions, hooks: RunHooks): Promise<HostsReport> {
  const played = new Played(new SeededRandom(`zonewright hosts ${seed}`))
  const actors = [
    ...catalogue(FOLDER, { ...defaultConfig, addr: 'ood1:1', tls: { enable: true } as never }),
    ...hostCatalogue(FOLDER, defaultConfig.http, () => 0),
  ]
  const report = await runChecked({
    seed, keys, nodes: 0, virtualMsMax: 3 * HOUR, eventsMax: EVENTS_MAX, actors, audiences: ['enrolment'],
    cluster: { config: CONFIG },
  }, hooks, (scene) => played.play(scene))
  return { ...report, ...played.told() }
}

class Played {
  readonly #random: SeededRandom
  readonly #machines: Machine[] = []
  readonly #thieves: Machine[] = []
  readonly #uses: Use[] = []
  readonly #strikes: HostStrike[] = []
  readonly #joinStrikes: JoinStrike[] = []
  #redeemed = 0
  #robbed = 0
  #revoked = 0
  #over = false
  #scene!: CheckedScene
  #operator!: Operator
  #promises!: HostPromises

  constructor(random: SeededRandom) {
    this.#random = random
  }

  told(): Omit<HostsReport, keyof RunReport> {
    const sum = (of: (use: Use) => number): number => this.#uses.reduce((all, use) => all + of(use), 0)
    return {
      hosts: this.#machines.length, strikes: this.#strikes, joinStrikes: this.#joinStrikes,
      redeemed: this.#redeemed, robbed: this.#robbed,
      revoked: this.#revoked, asked: sum((use) => use.asked), acknowledged: sum((use) => use.acknowledged.size),
    }
  }

  async play(scene: CheckedScene): Promise<void> {
    this.#scene = scene
    const { cluster, desk, lookout } = scene
    const { world } = cluster
    const random = this.#random
    this.#operator = new Operator(cluster, desk, (secret) => void lookout.secrets.add(secret))
    this.#promises = new HostPromises((promise, detail) => world.fail(new InvariantBroken(promise, detail)))
    cluster.start()
    const count = random.within(HOSTS)
    await this.#operator.call('system_config', 'sys_config_create', { key: kv.spec(WEB), value: serviceOn(count) })
    this.#look()
    for (let number = 1; number <= count; number++) {
      await this.#begin(`host${number}`)
      await pause(world.clock, random.within(BETWEEN_JOINS_MS))
    }
    const heals: (() => void)[] = []
    for (const each of draws(random, STRIKES, count)) {
      await pause(world.clock, random.within(PAUSE_MS))
      this.#strikes.push(each)
      if (each.kind === 'revoke') void this.#revoke(this.#machines[each.host]!)
      else heals.push(strike(cluster, this.#machines[each.host]!, each))
    }
    await pause(world.clock, random.within(PAUSE_MS))
    for (const heal of heals) heal()
    world.healWires()
    await this.#settles()
    this.#over = true
    const lost = (await Promise.all(this.#uses.map((use) => use.missing()))).flat()
    if (lost.length > 0) throw new InvariantBroken('acknowledged-write', lost.join('; '))
    for (const machine of [...this.#machines, ...this.#thieves]) await machine.stop()
  }

  async #begin(host: string): Promise<void> {
    const { cluster } = this.#scene
    const random = this.#random
    const joining = joinStrikes[random.within([0, joinStrikes.length - 1])]!
    const delayMs = random.within(JOIN_STRIKE_MS)
    this.#joinStrikes.push(joining)
    const made = await this.#operator.token(host)
    const options = (name: string) => ({
      cluster, name, host, made,
      onRedeemed: (token: string, kid: string): void => {
        this.#redeemed++
        this.#promises.redeemed(token, kid)
      },
    })
    let struck = false
    const machine = new Machine({
      ...options(host), onRobbed: () => void this.#robbedOf(machine, thieves),
      onAsks: () => {
        if (struck) return
        struck = true
        cluster.world.clock.after(delayMs, () => strikeJoin(cluster, machine, joining))
      },
    })
    const thieves = joining !== 'theft' ? [] : ['a', 'b'].map((letter) => new Machine(options(`${host}${letter}`)))
    this.#machines.push(machine)
    this.#thieves.push(...thieves)
    for (const each of [machine, ...thieves]) each.start()
    const use = new Use(cluster.world, machine, this.#operator, this.#promises)
    this.#uses.push(use)
    use.run(() => this.#over).catch((error: Error) => cluster.world.fail(error))
  }

  /** The token was another's: whoever joined by it is revoked, and the host gets another token. */
  async #robbedOf(machine: Machine, thieves: readonly Machine[]): Promise<void> {
    const { world } = this.#scene.cluster
    this.#robbed++
    if (thieves.length === 0) this.#promises.refused(machine.name)
    await this.#operator.revoke(machine.host)
    for (const thief of thieves) this.#promises.revoked(thief.name, world.nowUs / 1_000)
    machine.give(await this.#operator.token(machine.host))
  }

  async #revoke(machine: Machine): Promise<void> {
    const { world } = this.#scene.cluster
    while (machine.state !== 'runs') await pause(world.clock, LOOK_MS)
    await this.#operator.revoke(machine.host)
    this.#revoked++
    this.#promises.revoked(machine.name, world.nowUs / 1_000)
  }

  /** Once a second: who says that it is connected. */
  #look(): void {
    const { world } = this.#scene.cluster
    const each = (): void => {
      if (this.#over) return
      for (const machine of [...this.#machines, ...this.#thieves]) {
        machine.running?.uplink().then(({ state }) => {
          if (state === 'connected') this.#promises.connected(machine.name, world.nowUs / 1_000)
        }, () => {})
      }
      world.clock.after(LOOK_MS, each)
    }
    each()
  }

  async #settles(): Promise<void> {
    const { world } = this.#scene.cluster
    const untilUs = world.nowUs + BACK_MS * 1_000
    for (;;) {
      const waiting = (await Promise.all(this.#machines.map((machine, index) =>
        this.#promises.isRevoked(machine.name) ? '' : this.#missing(machine, this.#uses[index]!)))).filter(Boolean)
      if (waiting.length === 0) return
      if (world.nowUs > untilUs) throw new InvariantBroken('liveness', waiting.join('; '))
      await pause(world.clock, LOOK_MS)
    }
  }

  /** What a host lacks; empty where it has all. */
  async #missing(machine: Machine, use: Use): Promise<string> {
    const { running, name, state } = machine
    if (!running) return `${name} ${state}`
    const uplink = await running.uplink().catch((error: Error) => error)
    if (uplink instanceof Error) return `${name}: ${uplink.message}`
    if (uplink.state !== 'connected') return `${name} is ${uplink.state}: ${uplink.reason}`
    if (!await use.serves(WEB_PORT)) return `${WEB} does not answer on ${name}`
    return await use.write() ? '' : `the zone does not answer through ${name}`
  }
}

const serviceOn = (replicas: number): string => JSON.stringify({
  name: WEB, appid: WEB, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas,
  labels: { machine: 'joined' }, run: { command: [WEB_PATH], health: { http: { port: WEB_PORT, path: '/' } } },
})
