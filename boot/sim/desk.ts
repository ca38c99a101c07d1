import { looseObject, safeParse, string } from 'valibot'
import { messageOf, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import type { Platform, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims } from '../../runtime/trust/token.ts'
import { pause, within } from '../../runtime/within.ts'
import { krpcCall, krpcStream, type KrpcPort, type KrpcService } from '../client/krpc.ts'
import { APPID } from '../client/session.ts'
import { file } from '../init.ts'
import { DESK, FOLDER, OOD, type SimulatedCluster } from './cluster.ts'
import { forgeries, type Forged } from './forgeries.ts'

const Pair = looseObject({ session_token: string(), refresh_token: string(), sid: string() })
/** Whom it calls: no more is asked for. */
const AUDIENCES = ['system-config', 'node-daemon', 'scheduler', 'verify-hub']
const CALL_MS = 10_000
const RETRY_MS = 250

/** One login of the owner. */
export interface Login {
  readonly sid: string
  token: string
  refresh: string
}

/** A person's machine: it speaks kRPC over HTTP to the zone's gateway, and nothing else. */
export class Desk {
  readonly platform: Platform
  readonly random: Random
  /** By which the owner as a person signs sudo tokens. */
  readonly userKey: SigningKey
  readonly #cluster: SimulatedCluster
  readonly #port: KrpcPort
  /** Told of each password that it is given. */
  readonly #onPassword: (password: string) => void
  readonly #audiences: readonly string[]
  #password: string | undefined
  /** Somebody has logged in with it. */
  #used = false
  #turn: Promise<unknown> = Promise.resolve()

  /** `audiences`: whom it calls beside those of every run. */
  constructor(
    cluster: SimulatedCluster, onPassword: (password: string) => void, audiences: readonly string[] = [],
  ) {
    this.#audiences = [...AUDIENCES, ...audiences]
    this.#cluster = cluster
    this.#onPassword = onPassword
    this.platform = cluster.world.startProcess(DESK).platform
    this.random = cluster.world.random.fork('desk')
    const { transport, clock, keys } = this.platform
    this.userKey = keys.generate(this.random.fork('user key'))
    this.#port = { transport, clock, hostname: OOD, port: cluster.port }
  }

  call(service: KrpcService, method: string, params: object, token?: string): Promise<unknown> {
    const given = token === undefined ? {} : { token }
    return krpcCall(this.#port, { service, method, params, withinMs: CALL_MS, ...given })
  }

  stream(method: string, params: object, token: string, signal: AbortSignal): AsyncIterable<unknown> {
    return krpcStream(this.#port, { service: 'system_config', method, params, token, signal })
  }

  /**
   * By the password that `up` says until it is used; later by the one that was. Until then one at a time: whoever asks
   * is given a new one, and the one before is wrong from then on.
   */
  async login(): Promise<Login> {
    if (this.#used) return await this.#logIn()
    const mine = this.#turn.then(() => this.#logIn())
    this.#turn = mine.catch(() => {})
    return await mine
  }

  async #logIn(): Promise<Login> {
    const given = this.#used ? undefined : await this.#firstPassword()
    if (given) {
      this.#password = given.password
      this.#onPassword(given.password)
    }
    // Tried without one it would be wrong, and so many are
    if (this.#password === undefined) throw new Unavailable('up has not said the first password yet')
    const params = {
      type: 'password', username: 'owner', password: this.#password, appid: APPID,
      audiences: this.#audiences,
    }
    const login = this.#loginOf(await this.call('verify-hub', 'login_by_password', params))
    this.#used = true
    return login
  }

  /** Of a process that ends meanwhile nobody hears any more. */
  async #firstPassword(): Promise<{ password: string } | undefined> {
    const asked = this.#cluster.zone?.firstPassword() ?? Promise.resolve(undefined)
    const late = (): Error => new Unavailable('up does not say it')
    return within(this.platform.clock, CALL_MS, asked, late).catch(() => undefined)
  }

  /** What the owner signs at the desk. Undefined before step 0 has made the key. */
  async rootToken(): Promise<string | undefined> {
    const key = await this.#ownerKey()
    return key && signToken(key, this.#rootClaims())
  }

  /** What the owner as a person signs, for one call of system-config. */
  async sudoToken(): Promise<string> {
    const iat = Math.floor(this.platform.clock.now() / 1_000)
    return signToken(this.userKey, {
      ...this.#rootClaims(), iss: 'owner', sub: 'owner', exp: iat + tokenLifetimeSeconds.sudo, token_use: 'sudo',
      appid: APPID,
    })
  }

  /** A token that is like one that is good, and how somebody would present it. Undefined as long as there is no key. */
  async forge(login: Login): Promise<Forged | undefined> {
    const key = await this.#ownerKey()
    if (!key) return undefined
    const { length } = forgeries
    const [draw = 0] = this.random.bytes(1)
    const { what, token, at } = forgeries[draw % length]!
    const claims = this.#rootClaims()
    const stranger = this.platform.keys.generate(this.random)
    const text = token({ key, stranger, claims, login })
    const methods = {
      'system-config': () => this.call(
        'system_config', 'sys_config_set', { key: 'users/owner/sim/forged', value: '1' }, text),
      verify: () => this.call('verify-hub', 'verify_token', { session_token: text }),
      refresh: () => this.call('verify-hub', 'refresh_token', { refresh_token: text }),
    }
    return { what, present: methods[at ?? 'system-config'] }
  }

  /** That step 0 left on the first host. */
  async #ownerKey(): Promise<SigningKey | undefined> {
    const files = await this.#cluster.world.openFolder(OOD, FOLDER)
    const pem = await files.read(file.ownerKey)
    return pem && this.platform.keys.importPem(new TextDecoder().decode(pem))
  }

  #rootClaims(): TokenClaims {
    const iat = Math.floor(this.platform.clock.now() / 1_000)
    return {
      iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.root,
      jti: toBase64url(this.random.bytes(16)), token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
    }
  }

  async refresh(login: Login): Promise<void> {
    const next = this.#loginOf(await this.call('verify-hub', 'refresh_token', { refresh_token: login.refresh }))
    Object.assign(login, { token: next.token, refresh: next.refresh })
  }

  /** Tries until it succeeds, or it is refused for good, or the desk is cleared. */
  async until<T>(over: () => boolean, act: () => Promise<T>): Promise<T | undefined> {
    while (!over()) {
      try {
        return await act()
      } catch (error) {
        if (!(error instanceof ZonewrightError)) throw error
        await pause(this.platform.clock, this.#againMs(error))
      }
    }
    return undefined
  }

  /** Nobody comes before the time that they were told, and not all at that very time. */
  #againMs({ details: { retryMs } }: ZonewrightError): number {
    const [draw = 0] = this.random.bytes(1)
    return (typeof retryMs === 'number' ? retryMs : 0) + RETRY_MS * (0.5 + draw / 256)
  }

  #loginOf(answer: unknown): Login {
    const parsed = safeParse(Pair, answer)
    if (!parsed.success) throw new Error(`The answer to a login has no tokens: ${JSON.stringify(answer)}`)
    const { session_token: token, refresh_token: refresh, sid } = parsed.output
    return { sid, token, refresh }
  }
}

export type Use = Parameters<Desk['call']>

/** Of a session, with each of those that judge it. */
export const usesOf = ({ token }: Login): readonly Use[] => [
  ['verify-hub', 'verify_token', { session_token: token }],
  ['system_config', 'sys_config_get', { key: 'boot/config' }, token], ['scheduler', 'run_thunk', {}, token],
]

/** What became of a call, where an answer that never came may mean either. */
export type Outcome<T> =
  | { readonly type: 'done'; readonly value: T }
  | { readonly type: 'refused'; readonly reason: string; readonly message: string }
  | { readonly type: 'unknown'; readonly message: string }

export async function outcomeOf<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { type: 'done', value: await work }
  } catch (error) {
    if (!(error instanceof ZonewrightError)) throw error
    if (error.code !== 'Denied') return { type: 'unknown', message: `${error.code}: ${error.message}` }
    return { type: 'refused', reason: String(error.details['reason'] ?? ''), message: messageOf(error) }
  }
}
