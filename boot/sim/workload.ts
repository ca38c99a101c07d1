import { looseObject, nullable, number, object, safeParse, string } from 'valibot'
import { pause } from '../../runtime/within.ts'
import type { SimulatedCluster } from './cluster.ts'
import { outcomeOf, usesOf, type Desk, type Login, type Use } from './desk.ts'
import { webSpec } from './programs.ts'
import { Rights } from './rights.ts'

const FOLDER = 'users/owner/sim'
const WRITERS = 3
/** Of the keys written to, the newest so many are read again and again; in the end all are. */
const KEYS_READ = 4
const WRITE_PAUSE_MS = 700
const READ_PAUSE_MS = 2_500
const SESSION_PAUSE_MS = 9_000
const OPERATE_PAUSE_MS = 7_000
const ROOT_PAUSE_MS = 6_000
const FORGE_PAUSE_MS = 2_000
const POLICY_PAUSE_MS = 8_000
const SUDO_PAUSE_MS = 5_000

const Found = nullable(looseObject({ value: string(), version: number() }))
const Change = looseObject({ type: string(), key: string(), value: string(), revision: number() })
const Revision = object({ revision: number() })

/** A broken promise, as whoever made it would see it. */
export type Broken = (invariant: string, detail: string) => void

/** What one key holds: acknowledged last, and sent since then without an answer. */
interface Written {
  acknowledged: number
  sent: number
}

/** People and programs at the desk, who use the zone while it is under faults, and remember what they were promised. */
export class Workload {
  readonly counts = { acknowledged: 0, unknown: 0, read: 0, watched: 0, sessions: 0, commands: 0, refused: 0 }
  readonly #cluster: SimulatedCluster
  readonly #desk: Desk
  readonly #broken: Broken
  /** Session ids that a logout was acknowledged of, with the true time of it. */
  readonly revoked: Map<string, number>
  readonly #written = new Map<string, Written>()
  readonly #life = new AbortController()
  /** Of who forges and who changes rights: more than ten that wait for one signal are taken for a leak. */
  readonly #forging = new AbortController()
  #installed = false
  #working: Promise<unknown> = Promise.resolve()

  constructor(cluster: SimulatedCluster, desk: Desk, revoked: Map<string, number>, broken: Broken) {
    this.#cluster = cluster
    this.#desk = desk
    this.#broken = broken
    this.revoked = revoked
  }

  start(): void {
    const rights = new Rights(this.#desk, this.#broken)
    const work: readonly (() => Promise<void>)[] = [
      ...Array.from({ length: WRITERS }, (_, writer) => () => this.#write(writer)),
      () => this.#writePairs(), () => this.#read(), () => this.#watch(), () => this.#logInAndOut(),
      () => this.#operate(), () => this.#install(), () => this.#writeAsRoot(rights), () => this.#forge(),
      () => this.#withLogin(POLICY_PAUSE_MS, (login) => rights.changePolicy(login), this.#forging),
      () => this.#withLogin(SUDO_PAUSE_MS, (login) => rights.useSudo(login), this.#forging),
    ]
    this.#working = Promise.all(work.map((each) => each()))
    this.#working.catch((error: Error) => this.#cluster.world.fail(error))
  }

  /** Nobody begins anything more; settles when what was begun is over. */
  async stop(): Promise<void> {
    this.#life.abort()
    this.#forging.abort()
    await this.#working
  }

  /** Every write that was acknowledged, read by a fresh session. @returns what is missing */
  async missing(): Promise<readonly string[]> {
    const login = (await this.#desk.until(() => false, () => this.#desk.login()))!
    const lost: string[] = []
    for (const [key, written] of this.#written) {
      const value = await this.#valueOf(key, login)
      if (value < written.acknowledged || value > written.sent) lost.push(this.#lost(key, value, written))
    }
    return lost
  }

  get #over(): boolean {
    return this.#life.signal.aborted
  }

  #pause(ms: number, { signal } = this.#life): Promise<void> {
    const [draw = 0] = this.#desk.random.bytes(1)
    return pause(this.#desk.platform.clock, ms * (0.5 + draw / 256), signal)
  }

  #logIn(): Promise<Login | undefined> {
    return this.#desk.until(() => this.#over, () => this.#desk.login())
  }

  /** Goes on with a login for as long as it is good, and with a new one then. */
  async #withLogin(pauseMs: number, act: (login: Login) => Promise<boolean>, life = this.#life): Promise<void> {
    let login = await this.#logIn()
    while (login && !this.#over) {
      if (!await act(login)) login = await this.#logIn()
      await this.#pause(pauseMs, life)
    }
  }

  async #write(writer: number): Promise<void> {
    let key = ''
    let written: Written = { acknowledged: 0, sent: 0 }
    let keys = 0
    const nextKey = (): void => {
      key = `${FOLDER}/w${writer}-${++keys}`
      this.#written.set(key, written = { acknowledged: 0, sent: 0 })
    }
    nextKey()
    await this.#withLogin(WRITE_PAUSE_MS, async ({ token }) => {
      const value = ++written.sent
      const set = this.#desk.call('system_config', 'sys_config_set', { key, value: String(value) }, token)
      const outcome = await outcomeOf(set)
      if (outcome.type === 'done') {
        written.acknowledged = value
        this.counts.acknowledged++
        return true
      }
      this.counts.unknown++
      // It may still be on its way, and come after whatever is sent now
      nextKey()
      return outcome.type !== 'refused'
    })
  }

  /** Two keys in one transaction: there are both or neither. */
  async #writePairs(): Promise<void> {
    let number = 0
    await this.#withLogin(WRITE_PAUSE_MS * 4, async ({ token }) => {
      const value = String(++number)
      const actions = Object.fromEntries(['left', 'right'].map((side) =>
        [`${FOLDER}/${side}-${number}`, { action: 'create', value }]))
      const outcome = await outcomeOf(this.#desk.call('system_config', 'sys_config_exec_tx', { actions }, token))
      return outcome.type !== 'refused'
    })
  }

  async #read(): Promise<void> {
    await this.#withLogin(READ_PAUSE_MS, async (login) => {
      for (const [key, written] of [...this.#written].slice(-KEYS_READ)) {
        const { acknowledged } = written
        const outcome = await outcomeOf(this.#valueOf(key, login))
        if (outcome.type === 'refused') return false
        if (outcome.type === 'unknown') continue
        this.counts.read++
        if (outcome.value < acknowledged || outcome.value > written.sent) {
          this.#broken('acknowledged-write', this.#lost(key, outcome.value, { ...written, acknowledged }))
        }
      }
      return true
    })
  }

  async #valueOf(key: string, { token }: Login): Promise<number> {
    const found = safeParse(Found, await this.#desk.call('system_config', 'sys_config_get', { key }, token))
    if (!found.success) throw new Error(`What sys_config_get answers has another shape: ${key}`)
    return Number(found.output?.value ?? 0)
  }

  #lost(key: string, value: number, { acknowledged, sent }: Written): string {
    return `${key} holds ${value}; ${acknowledged} was acknowledged, and ${sent} sent last`
  }

  /** From where it stopped, each time: the events of a key never go back, and no revision comes twice. */
  async #watch(): Promise<void> {
    let after = -1
    const last = new Map<string, number>()
    await this.#withLogin(WRITE_PAUSE_MS, async ({ token }) => {
      const outcome = await outcomeOf((async () => {
        if (after < 0) {
          const answer = await this.#desk.call('system_config', 'sys_config_revision', { prefix: FOLDER }, token)
          const now = safeParse(Revision, answer)
          after = now.success ? now.output.revision : 0
        }
        const params = { prefix: `${FOLDER}/`, after }
        for await (const item of this.#desk.stream('sys_config_watch', params, token, this.#life.signal)) {
          after = this.#watched(item, after, last)
        }
      })())
      // What was compacted away is read anew
      if (outcome.type === 'unknown' && outcome.message.startsWith('Compacted')) {
        after = -1
        last.clear()
      }
      return outcome.type !== 'refused'
    })
  }

  #watched(item: unknown, after: number, last: Map<string, number>): number {
    const parsed = safeParse(Change, item)
    if (!parsed.success) throw new Error('What a watch gives has another shape')
    const { key, value, revision } = parsed.output
    this.counts.watched++
    if (revision < after) this.#broken('watch-order', `revision ${revision} of ${key} came after ${after}`)
    const before = last.get(key) ?? 0
    if (Number(value) < before) this.#broken('watch-order', `${key} went from ${before} back to ${value}`)
    // Whoever writes one counts up
    if (before > 0 && Number(value) > before + 1) this.#broken('watch-order', `${key} went from ${before} to ${value}`)
    last.set(key, Number(value))
    return revision
  }

  /** Who has logged out is out: at verify-hub at once, and whatever happens to it then. */
  async #logInAndOut(): Promise<void> {
    const gone: Login[] = []
    for (let number = 0; !this.#over; number++) {
      const before = gone[number % gone.length]
      if (before) await this.#staysOut(before)
      const login = await this.#logIn()
      if (!login) return
      this.counts.sessions++
      await outcomeOf(this.#desk.refresh(login))
      await Promise.all(usesOf(login).map((use) => outcomeOf(this.#desk.call(...use))))
      const out = await outcomeOf(this.#desk.call('verify-hub', 'logout', { refresh_token: login.refresh }))
      if (out.type === 'done') {
        this.revoked.set(login.sid, this.#cluster.world.nowUs / 1_000)
        await this.#staysOut(login)
        gone.push(login)
      }
      await this.#pause(SESSION_PAUSE_MS)
    }
  }

  async #staysOut(login: Login): Promise<void> {
    const refresh: Use = ['verify-hub', 'refresh_token', { refresh_token: login.refresh }]
    await Promise.all([refresh, ...usesOf(login)].map(async (use) => {
      const outcome = await outcomeOf(this.#desk.call(...use))
      if (outcome.type === 'done') this.#broken('revoked-session', `${use[1]} of ${login.sid}, which had logged out`)
      if (outcome.type === 'refused') this.counts.refused++
    }))
  }

  async #writeAsRoot(rights: Rights): Promise<void> {
    for (let number = 1; !this.#over; number++) {
      await this.#pause(ROOT_PAUSE_MS)
      if (!this.#over && await rights.useRoot(`${FOLDER}/root`, number)) this.counts.refused++
    }
  }

  /** Tokens that are nearly right are good nowhere. */
  async #forge(): Promise<void> {
    await this.#withLogin(FORGE_PAUSE_MS, async (login) => {
      const forged = await this.#desk.forge(login).catch(() => undefined)
      if (this.#over || forged === undefined) return true
      const outcome = await outcomeOf(forged.present())
      if (outcome.type === 'done') this.#broken('matrix', `${forged.what} was taken`)
      if (outcome.type === 'refused') this.counts.refused++
      return true
    }, this.#forging)
  }

  /** A service that is a program; once it is written, it runs. */
  async #install(): Promise<void> {
    await this.#withLogin(READ_PAUSE_MS, async ({ token }) => {
      if (this.#installed) return true
      const outcome = await outcomeOf(this.#desk.call('system_config', 'sys_config_create', webSpec, token))
      const already = outcome.type === 'unknown' && outcome.message.startsWith('KeyExists')
      this.#installed = outcome.type === 'done' || already
      return outcome.type !== 'refused'
    })
  }

  /** Commands at moments that suit nobody, and writes that nobody but root may make. */
  async #operate(): Promise<void> {
    const { hostNames } = this.#cluster
    const attempts = [
      ({ token }: Login) => this.#desk.call('node-daemon', 'ps', {}, token),
      ({ token }: Login) => this.#desk.call('scheduler', 'round', {}, token),
      ({ token }: Login, draw: number) => {
        const host = hostNames[draw % hostNames.length]
        return this.#desk.call('node-daemon', 'kill', { host, actor: 'service' }, token)
      },
      async ({ token }: Login) => {
        const params = { key: 'boot/config', value: '{}' }
        await this.#desk.call('system_config', 'sys_config_set', params, token)
        this.#broken('boot-config', 'a session of an admin was allowed to write it')
      },
    ]
    await this.#withLogin(OPERATE_PAUSE_MS, async (login) => {
      const [which = 0, draw = 0] = this.#desk.random.bytes(2)
      const outcome = await outcomeOf(attempts[which % attempts.length]!(login, draw))
      this.counts.commands++
      return outcome.type !== 'refused' || outcome.reason.startsWith('rbac/')
    })
  }
}
