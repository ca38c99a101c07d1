/** Who uses the zone meanwhile, and what was acknowledged to them. */
import { delay } from './delay.ts'
import type { Field } from './field.ts'
import { Refused, type Way } from './way.ts'

const AUDIENCES = ['system-config', 'node-monitor']
export const COUNT = 'users/owner/chaos/count'
export const ENTRIES = 'users/owner/chaos/entries'
const BETWEEN_WRITES_MS = 150
const BETWEEN_CALLS_MS = 400
const SILENCE_MS = 5_000
/** All are one user, of whom no more than some logins are tried in a while. */
const AFTER_FAILURE_MS = 1_500
/** Longer would be no answer to whoever calls. */
const CALL_MS = 10_000

interface Item { readonly value: string; readonly version: number }

/** The owner, at one host; logs in again when the session is good no more. */
export class Owner {
  readonly #way: Way
  readonly #password: string
  #token: string | undefined

  constructor(way: Way, password: string) {
    this.#way = way
    this.#password = password
  }

  async call(method: string, params: object, service = 'system_config'): Promise<unknown> {
    this.#token ??= (await this.#way.call('verify-hub', 'login_by_password', {
      type: 'password', username: 'owner', password: this.#password, appid: 'console', audiences: AUDIENCES,
    }, null) as { readonly session_token: string }).session_token
    try {
      return await this.#way.call(service, method, params, this.#token)
    } catch (error) {
      if (error instanceof Refused && error.reason.startsWith('token/')) this.#token = undefined
      throw error
    }
  }

  async get(key: string): Promise<Item | null> {
    return await this.call('sys_config_get', { key }) as Item | null
  }

  async list(key: string): Promise<readonly string[]> {
    return await this.call('sys_config_list', { key }) as readonly string[]
  }
}

export interface Tally {
  /** By the number of the counter: who was told that it is theirs. */
  readonly written: Map<number, string>
  /** Numbers that the stateful service has said to have. */
  readonly kept: Set<number>
  /** Refusals by code, and what else was no answer. */
  readonly failures: Map<string, number>
  unanswered: number
  calls: number
  callsFailed: number
  /** When no write of anybody was acknowledged for long, from the beginning on. */
  readonly silences: { readonly fromMs: number; readonly forMs: number }[]
}

export interface Traffic {
  readonly tally: Tally
  end(): Promise<void>
}

export async function begin(field: Field, home: string): Promise<Traffic> {
  const tally: Tally = {
    written: new Map(), kept: new Set(), failures: new Map(), silences: [], unanswered: 0, calls: 0,
    callsFailed: 0,
  }
  const first = new Owner(field.gateway(field.oods[0]!), field.password)
  await first.call('sys_config_create', { key: COUNT, value: '0' })
  let ends = false
  const began = performance.now()
  let answeredAt = began
  const failed = (error: unknown): void => {
    const what = error instanceof Refused ? `${error.code} ${error.reason}`.trim() : 'no answer'
    tally.failures.set(what, (tally.failures.get(what) ?? 0) + 1)
  }

  /** Each number once, and whose it is: one transaction that compares the counter. */
  const write = async (host: string): Promise<void> => {
    const owner = new Owner(field.gateway(host), field.password)
    while (!ends) {
      try {
        const { value, version } = (await owner.get(COUNT))!
        const next = Number(value) + 1
        const entry = `${ENTRIES}/${next}-${host}`
        const actions = {
          [COUNT]: { action: 'update', value: String(next) }, [entry]: { action: 'create', value: host },
        }
        try {
          await owner.call('sys_config_exec_tx', { actions, main_key: { key: COUNT, revision: version } })
          tally.written.set(next, host)
          const forMs = performance.now() - answeredAt
          if (forMs > SILENCE_MS) tally.silences.push({ fromMs: answeredAt - began, forMs })
          answeredAt = performance.now()
        } catch (error) {
          if (!(error instanceof Refused)) tally.unanswered++
          throw error
        }
        await delay(BETWEEN_WRITES_MS)
      } catch (error) {
        if (error instanceof Refused && error.code === 'RevisionMismatch') continue
        failed(error)
        await delay(AFTER_FAILURE_MS)
      }
    }
  }

  /** What it answers is on its disk. */
  const call = async (): Promise<void> => {
    const ledger = field.local(home, 'ledger')
    while (!ends) {
      const mine = ++tally.calls
      try {
        const answer = await ledger.get(`/add/${mine}`, CALL_MS)
        if (answer !== String(mine)) throw new Error(`Another answer: ${answer}`)
        tally.kept.add(mine)
      } catch {
        tally.callsFailed++
      }
      await delay(BETWEEN_CALLS_MS)
    }
  }

  const all = Promise.all([...[...field.oods, ...field.nodes].map(write), call()])
  return {
    tally,
    async end() {
      ends = true
      await all
    },
  }
}
