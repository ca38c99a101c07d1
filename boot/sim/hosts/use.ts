import { Unavailable, ZonewrightError } from '../../../runtime/errors.ts'
import type { Platform } from '../../../runtime/platform/ports.ts'
import type { World } from '../../../runtime/sim/simulate.ts'
import { pause } from '../../../runtime/within.ts'
import { krpcCall } from '../../client/krpc.ts'
import { outcomeOf } from '../desk.ts'
import { GATEWAY_PORT, type Machine } from './machine.ts'
import type { Operator } from './operator.ts'
import type { HostPromises } from './promises.ts'

const CALL_MS = 8_000
const BETWEEN_MS = [400, 2_500] as const

/** A program on a machine that joined: it reaches the zone by the gateway there, and so through the tunnel. */
export class Use {
  /** Keys of writes that were acknowledged, with what is there. */
  readonly acknowledged = new Map<string, string>()
  asked = 0
  readonly #machine: Machine
  readonly #operator: Operator
  readonly #promises: HostPromises
  readonly #world: World
  readonly #platform: Platform

  constructor(world: World, machine: Machine, operator: Operator, promises: HostPromises) {
    this.#world = world
    this.#machine = machine
    this.#operator = operator
    this.#promises = promises
    this.#platform = world.startProcess(machine.name).platform
  }

  /** One after the other, until it is over. */
  async run(over: () => boolean): Promise<void> {
    const draws = this.#world.random.fork(`use ${this.#machine.name}`)
    while (!over()) {
      if (this.#machine.running) await this.write()
      const [draw = 0] = draws.bytes(1)
      await pause(this.#world.clock, BETWEEN_MS[0] + (BETWEEN_MS[1] - BETWEEN_MS[0]) * draw / 256)
    }
  }

  /** False where nothing is known of it. */
  async write(): Promise<boolean> {
    const { name } = this.#machine
    const key = `users/owner/sim/${name}-${++this.asked}`
    const value = JSON.stringify({ by: name, number: this.asked })
    const askedMs = this.#world.nowUs / 1_000
    const outcome = await outcomeOf(this.#call('sys_config_create', { key, value }))
    if (outcome.type === 'refused') this.#operator.forget()
    if (outcome.type !== 'done') return false
    this.acknowledged.set(key, value)
    this.#promises.answered(name, askedMs)
    return true
  }

  async #call(method: string, params: object): Promise<unknown> {
    const token = await this.#operator.session()
    const { transport, clock } = this.#platform
    return krpcCall(
      { transport, clock, hostname: '127.0.0.1', port: GATEWAY_PORT },
      { service: 'system_config', method, params, token, withinMs: CALL_MS },
    )
  }

  /** Acknowledged writes that are not there, in words. */
  async missing(): Promise<readonly string[]> {
    const lost: string[] = []
    for (const [key, value] of this.acknowledged) {
      const found = await this.#operator.call('system_config', 'sys_config_get', { key })
      if ((found as { value?: unknown } | null)?.value !== value) lost.push(`${key}: ${JSON.stringify(found)}`)
    }
    return lost
  }

  /** Whether the program that runs there answers by its own port. */
  async serves(port: number): Promise<boolean> {
    try {
      const { status } = await this.#world.http(this.#machine.name, port, {
        method: 'GET', path: '/', query: '', headers: {}, body: new Uint8Array(), remoteAddress: '127.0.0.1',
      })
      return status === 200
    } catch (error) {
      if (!(error instanceof ZonewrightError) || !(error instanceof Unavailable)) throw error
      return false
    }
  }
}
