import { looseObject, safeParse, string } from 'valibot'
import { messageOf, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import type { Platform, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims } from '../../runtime/trust/token.ts'
import { pause, within } from '../../runtime/within.ts'
import { krpcCall, krpcStream, type KrpcPort, type KrpcService } from '../client/krpc.ts'
import { APPID, AUDIENCES } from '../client/session.ts'
import { file } from '../init.ts'
import { LoginLocked } from '../../actors/verify-hub/protocol.ts'
import { DESK, FOLDER, OOD, type SimulatedCluster } from './cluster.ts'
import { forgeries, type Forged } from './forgeries.ts'

const Pair = looseObject({ session_token: string(), refresh_token: string(), sid: string() })
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
  readonly #cluster: SimulatedCluster
  readonly #port: KrpcPort
  /** Told of each password that it is given. */
  readonly #onPassword: (password: string) => void
  #password: string | undefined
  #logins: Promise<unknown> = Promise.resolve()

  constructor(cluster: SimulatedCluster, onPassword: (password: string) => void) {
    this.#cluster = cluster
    this.#onPassword = onPassword
    this.platform = cluster.world.startProcess(DESK).platform
    this.random = cluster.world.random.fork('desk')
    const { transport, clock } = this.platform
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
   * By the password that `up` says until it is used; later by the one that was. One after another: a password that is
   * said anew makes the one before wrong, and too many wrong ones lock the name.
   */
  login(): Promise<Login> {
    const login = this.#logins.catch(() => {}).then(() => this.#login())
    this.#logins = login
    return login
  }

  /** Whoever is told to wait waits. */
  async #login(): Promise<Login> {
    for (;;) {
      try {
        return await this.#tryPassword()
      } catch (error) {
        if (!(error instanceof LoginLocked)) throw error
        await pause(this.platform.clock, Number(error.details['retryMs'] ?? RETRY_MS))
      }
    }
  }

  async #tryPassword(): Promise<Login> {
    const given = await this.#firstPassword()
    if (given) {
      this.#password = given.password
      this.#onPassword(given.password)
    }
    if (this.#password === undefined) throw new Unavailable('Nobody has said the password yet')
    const params = {
      type: 'password', username: 'owner', password: this.#password, appid: APPID, audiences: AUDIENCES,
    }
    return this.#loginOf(await this.call('verify-hub', 'login_by_password', params))
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
      }
      await pause(this.platform.clock, RETRY_MS)
    }
    return undefined
  }

  #loginOf(answer: unknown): Login {
    const parsed = safeParse(Pair, answer)
    if (!parsed.success) throw new Error(`The answer to a login has no tokens: ${JSON.stringify(answer)}`)
    const { session_token: token, refresh_token: refresh, sid } = parsed.output
    return { sid, token, refresh }
  }
}

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
