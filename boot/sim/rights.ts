import { looseObject, nullable, number, safeParse, string } from 'valibot'
import { kv } from '../../actors/records.ts'
import { OOD } from './cluster.ts'
import { outcomeOf, type Desk, type Login } from './desk.ts'
import type { Broken } from './workload.ts'

const Found = nullable(looseObject({ value: string(), version: number() }))

/** What is taken away and given back. */
const KEY = kv.control(OOD)
const LINE = `p, owner, ${KEY}, write, deny`
/** What a user may do by sudo and by no session. */
const BY_SUDO = 'users/owner/key_settings'

/**
 * People who change what others may do, and look at once whether it holds everywhere; and those who use what is good
 * once. Each call is one turn of somebody; with a login, it says whether that is still good.
 */
export class Rights {
  readonly #desk: Desk
  readonly #broken: Broken
  #keyed = false
  #turns = 0

  constructor(desk: Desk, broken: Broken) {
    this.#desk = desk
    this.#broken = broken
  }

  /** Who wrote the policy was answered: then every verifier goes by it, whatever has become of it meanwhile. */
  async changePolicy({ token }: Login): Promise<boolean> {
    const taken = await this.#writePolicy((lines) => (lines.includes(LINE) ? undefined : [LINE, ...lines]))
    if (taken) {
      for (const [service, method, params] of [
        ['scheduler', 'run_thunk', {}], ['system_config', 'sys_config_check', { key: KEY, act: 'write' }],
      ] as const) {
        const outcome = await outcomeOf(this.#desk.call(service, method, params, token))
        if (outcome.type === 'done') this.#broken('policy-in-force', `${method} was allowed after its line was taken`)
        if (outcome.type === 'refused' && outcome.reason !== 'rbac/no-rule') return false
      }
    }
    const given = await this.#writePolicy((lines) =>
      (lines.includes(LINE) ? lines.filter((line) => line !== LINE) : undefined))
    if (given) {
      const outcome = await outcomeOf(this.#desk.call('scheduler', 'run_thunk', {}, token))
      if (outcome.type === 'refused' && outcome.reason === 'rbac/no-rule') {
        this.#broken('policy-in-force', 'run_thunk was refused after its line was given back')
      }
    }
    return true
  }

  /** True when it was changed, and the answer says so. */
  async #writePolicy(change: (lines: readonly string[]) => readonly string[] | undefined): Promise<boolean> {
    const [reader, writer] = [await this.#desk.rootToken(), await this.#desk.rootToken()]
    if (reader === undefined || writer === undefined) return false
    const read = await outcomeOf(this.#desk.call('system_config', 'sys_config_get', { key: kv.policy }, reader))
    const found = read.type === 'done' ? safeParse(Found, read.value) : undefined
    if (!found?.success || !found.output) return false
    const lines = change(found.output.value.split('\n'))
    if (!lines) return false
    const actions = { [kv.policy]: { action: 'update', value: lines.join('\n') } }
    const guard = { key: kv.policy, revision: found.output.version }
    const write = this.#desk.call('system_config', 'sys_config_exec_tx', { actions, main_key: guard }, writer)
    return (await outcomeOf(write)).type === 'done'
  }

  /** What the owner signed is good for one request. @returns whether its second use was refused */
  async useRoot(key: string, number: number): Promise<boolean> {
    const token = await this.#desk.rootToken().catch(() => undefined)
    if (token === undefined) return false
    const write = (name: string): Promise<unknown> =>
      this.#desk.call('system_config', 'sys_config_set', { key: name, value: String(number) }, token)
    const first = await outcomeOf(write(`${key}-${number}`))
    const second = await outcomeOf(write(`${key}-again-${number}`))
    // One that was never answered may not have come; then the other is its first use
    if (first.type === 'done' && second.type === 'done') this.#broken('matrix', `root token ${number} was good twice`)
    return second.type === 'refused'
  }

  /** What no session may do, a sudo token may, once. */
  async useSudo({ token }: Login): Promise<boolean> {
    if (!this.#keyed && !await this.#register()) return true
    const write = (by: string) => this.#desk.call('system_config', 'sys_config_set', {
      key: BY_SUDO, value: String(++this.#turns),
    }, by)
    const bySession = await outcomeOf(write(token))
    if (bySession.type === 'done') this.#broken('sudo', 'a session did what needs sudo')
    const sudo = await this.#desk.sudoToken()
    const outcomes = await Promise.all([outcomeOf(write(sudo)), outcomeOf(write(sudo))])
    const again = await outcomeOf(write(sudo))
    const good = [...outcomes, again].filter(({ type }) => type === 'done').length
    if (good > 1) this.#broken('sudo', `one sudo token was good ${good} times`)
    return bySession.type !== 'refused' || bySession.reason.startsWith('rbac/')
  }

  /** The first key of a user is written by root. */
  async #register(): Promise<boolean> {
    const root = await this.#desk.rootToken()
    if (root === undefined) return false
    const key = kv.userDocument('owner')
    const document = { name: 'owner', key: this.#desk.userKey.public.jwk, iat: 1 }
    const actions = { [key]: { action: 'create', value: JSON.stringify(document) } }
    const outcome = await outcomeOf(this.#desk.call('system_config', 'sys_config_exec_tx', { actions }, root))
    this.#keyed = outcome.type === 'done' || (outcome.type === 'unknown' && outcome.message.startsWith('KeyExists'))
    return this.#keyed
  }
}
