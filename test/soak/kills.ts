/**
 * A cluster on one host, used from outside while its actors, its hosts and the whole process are killed at random. In
 * the end every service runs and every write that was acknowledged is there.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { KrpcError, ZoneClient } from './zone-client.ts'
import { startZone, type ZoneProgram } from './zone-program.ts'

export const killsHelp = `kills [--minutes 10] [--nodes 3] [--seed 1]
    writes to a cluster on one host while actors, hosts and the process are killed`

export interface KillsOptions {
  readonly minutes: number
  readonly nodes: number
  readonly seed: number
}

const WRITERS = 8
const KEYS = 50
/** One in so many kills is of the whole process. */
const PROCESS_KILLS = 20
const SETTLE_MS = 90_000
const OWNER = 'owner'

interface Host {
  readonly host: string
  readonly state: string
  readonly starts: number
  readonly actors: readonly { name: string; state: string; reason: string; managed: boolean }[]
}

/** What a key may hold: what was acknowledged last, or anything that was sent since. */
interface Expected {
  acknowledged: string | undefined
  sent: Set<string>
}

class Soak {
  readonly #options: KillsOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'zonewright-soak-'))
  readonly #expected = new Map<string, Expected>()
  readonly #random: () => number
  readonly counts = { acknowledged: 0, unknown: 0, kills: new Map<string, number>() }
  #zone!: ZoneProgram
  #client!: ZoneClient
  #ends = false

  constructor(options: KillsOptions) {
    this.#options = options
    this.#random = numbersOf(options.seed)
  }

  async run(): Promise<readonly string[]> {
    writeFileSync(join(this.#folder, 'zone.yaml'), `processes: { allow: ["${process.execPath}"] }\n`)
    await this.#start()
    this.#client = new ZoneClient(() => this.#url())
    await this.#client.login(OWNER, this.#zone.password ?? '')
    await this.#addProgram()
    await this.#healthy()
    const beganMb = this.#zone.residentMb()
    const writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer))
    const until = Date.now() + this.#options.minutes * 60_000
    let said = Date.now()
    while (Date.now() < until) {
      await sleep(500 + this.#random() * 2_500)
      await this.#killSomething()
      if (Date.now() - said < 30_000) continue
      said = Date.now()
      this.#say(`${Math.round((until - said) / 1000)} s to go`)
    }
    this.#ends = true
    await Promise.all(writers)
    const faults = [...await this.#healthy(), ...await this.#compare()]
    this.#say(`memory ${beganMb} MB at first, ${this.#zone.residentMb()} MB in the end`)
    const exit = await this.#zone.stop()
    if (exit !== 0) faults.push(`the zone ended with exit code ${exit}`)
    if (faults.length === 0) rmSync(this.#folder, { recursive: true, force: true })
    else console.log(`the zone's folder: ${this.#folder}`)
    return faults
  }

  async #start(): Promise<void> {
    this.#zone = await startZone(this.#folder, ['--nodes', String(this.#options.nodes)])
  }

  /** As any command finds it. */
  #url(): string {
    try {
      return (JSON.parse(readFileSync(join(this.#folder, 'endpoint.json'), 'utf8')) as { url: string }).url
    } catch {
      return this.#zone.url
    }
  }

  /** A service that is a process, on two hosts. */
  async #addProgram(): Promise<void> {
    const spec = {
      name: 'ticker', appid: 'ticker', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 2,
      run: { command: [process.execPath, ...programArguments] },
    }
    const params = { key: 'services/ticker/spec', value: JSON.stringify(spec) }
    await this.#client.call('system_config', 'sys_config_create', params)
  }

  async #write(writer: number): Promise<void> {
    for (let count = 0; !this.#ends; count++) {
      const key = `users/${OWNER}/soak/${writer}-${count % KEYS}`
      const value = `${writer} ${count}`
      const expected = this.#expected.get(key) ?? { acknowledged: undefined, sent: new Set() }
      this.#expected.set(key, expected)
      expected.sent.add(value)
      try {
        await this.#client.call('system_config', 'sys_config_set', { key, value })
        expected.acknowledged = value
        expected.sent.clear()
        this.counts.acknowledged++
      } catch (error) {
        if (error instanceof KrpcError && ['Denied', 'InvalidArgument'].includes(error.code)) throw error
        this.counts.unknown++
        await sleep(50)
      }
    }
  }

  async #killSomething(): Promise<void> {
    if (this.#random() < 1 / PROCESS_KILLS) {
      this.#count('the process')
      await this.#zone.kill()
      await this.#start()
      return
    }
    try {
      const hosts = await this.#hosts()
      const { host, actors } = this.#one(hosts)
      const whole = this.#random() < 0.25
      const serving = actors.filter(({ state }) => state === 'serving')
      const actor = whole || serving.length === 0 ? undefined : this.#one(serving).name
      await this.#client.call('node-daemon', 'kill', { host, ...(actor === undefined ? {} : { actor }) })
      this.#count(actor ?? `host ${host}`)
    } catch (error) {
      // Whoever was killed a moment ago may be who would have answered
      if (error instanceof KrpcError && error.code === 'Denied') throw error
    }
  }

  #one<T>(of: readonly T[]): T {
    const found = of[Math.floor(this.#random() * of.length)]
    if (found === undefined) throw new Error('There is nothing to choose from')
    return found
  }

  #count(what: string): void {
    this.counts.kills.set(what, (this.counts.kills.get(what) ?? 0) + 1)
  }

  async #hosts(): Promise<readonly Host[]> {
    return ((await this.#client.call('node-daemon', 'ps', {})) as { hosts: readonly Host[] }).hosts
  }

  /** What does not serve although it should, once nothing is killed any more and all had time to come back. */
  async #healthy(): Promise<string[]> {
    const until = Date.now() + SETTLE_MS
    for (;;) {
      const faults = await this.#unhealthy().catch((error: unknown) => [`ps failed: ${String(error)}`])
      if (faults.length === 0 || Date.now() > until) return faults
      await sleep(500)
    }
  }

  async #unhealthy(): Promise<string[]> {
    const hosts = await this.#hosts()
    const faults = hosts.filter(({ state }) => state !== 'serving').map(({ host, state }) => `host ${host} is ${state}`)
    if (hosts.length !== this.#options.nodes + 1) faults.push(`there are ${hosts.length} hosts`)
    for (const { host, actors } of hosts) {
      for (const { name, state, reason } of actors) {
        if (state !== 'serving' && state !== 'stopped') faults.push(`${name} on ${host} is ${state}: ${reason}`)
      }
    }
    const serving = hosts.flatMap(({ actors }) => actors.filter(({ state }) => state === 'serving'))
    for (const [name, count] of Object.entries(WANTED)) {
      const found = serving.filter((each) => each.name === name).length
      if (found !== count) faults.push(`${name} serves on ${found} hosts, not on ${count}`)
    }
    return faults
  }

  async #compare(): Promise<string[]> {
    const faults: string[] = []
    for (const [key, { acknowledged, sent }] of this.#expected) {
      const found = (await this.#client.call('system_config', 'sys_config_get', { key })) as { value: string } | null
      if (found?.value === acknowledged || (found && sent.has(found.value))) continue
      faults.push(`${key} holds ${found?.value ?? 'nothing'}, acknowledged was ${acknowledged}`)
    }
    return faults
  }

  #say(what: string): void {
    const kills = [...this.counts.kills.values()].reduce((sum, each) => sum + each, 0)
    const { acknowledged, unknown } = this.counts
    console.log(`${what}: ${kills} kills, ${acknowledged} writes acknowledged, ${unknown} without an answer`)
  }
}

/** How many of each serve, in a cluster with the default services and the ticker. */
const WANTED: Readonly<Record<string, number>> = {
  vault: 1, 'system-config': 1, 'verify-hub': 1, scheduler: 1, gateway: 1, service: 1, ticker: 2,
}

const programArguments = 'Deno' in globalThis
  ? ['eval', 'setInterval(() => console.log("tick"), 1000)']
  : ['-e', 'setInterval(() => console.log("tick"), 1000)']

/** The same seed gives the same choices, though not the same run: threads and disks do as they like. */
export function numbersOf(seed: number): () => number {
  let count = 0
  return () => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32BE() / 2 ** 32
}

/** @returns how many passed and failed */
export async function soakKills(options: KillsOptions): Promise<{ passed: number; failed: number }> {
  const soak = new Soak(options)
  const faults = await soak.run()
  for (const fault of faults) console.log(fault)
  for (const [what, count] of [...soak.counts.kills].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`  killed ${what}: ${count}`)
  }
  const { acknowledged, unknown } = soak.counts
  console.log(`${acknowledged} writes acknowledged and found, ${unknown} without an answer, seed ${options.seed}`)
  return { passed: faults.length === 0 ? 1 : 0, failed: faults.length }
}
