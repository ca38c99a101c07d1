import type { ActorStart } from '../../../runtime/actor.ts'
import { InvalidArgument, messageOf } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { HttpServer, HttpTls } from '../../../runtime/platform/ports.ts'
import { backoffMs } from '../../../runtime/restart.ts'
import { pause } from '../../../runtime/within.ts'
import type { Vault } from '../protocol.ts'
import { certify, type Certified } from './certificate.ts'
import { createHandOn, faultBody } from './hand-on.ts'

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/
const RETRY = { min: limits.loginRetryMsMin, max: limits.vaultListenerRetryMs }

export type TlsMode = 'auto' | 'off'
type Start = ActorStart<{ vault: typeof Vault }>

/** The listener: plain HTTP on loopback until the zone has authorities, TLS from then on, with a certificate of its own. */
export class Listening {
  readonly hostname: string
  readonly #start: Start
  readonly #mode: TlsMode
  readonly #given: HttpTls | undefined
  readonly #handle: ReturnType<typeof createHandOn>
  #port: number
  #server: HttpServer | undefined
  #certified: Certified | undefined
  #tls = false

  /** @throws InvalidArgument where it would have to listen without TLS on more than loopback */
  constructor(start: Start) {
    const { env, secrets, needs, log } = start
    this.#start = start
    this.hostname = env['ZONEWRIGHT_VAULT_HOSTNAME'] ?? '127.0.0.1'
    this.#port = Number(env['ZONEWRIGHT_VAULT_PORT'] ?? 0)
    this.#mode = env['ZONEWRIGHT_VAULT_TLS'] === 'off' ? 'off' : 'auto'
    const { 'tls-certificate': certificate, 'tls-key': key } = secrets
    this.#given = certificate !== undefined && key !== undefined ? { certificate, key } : undefined
    if (this.#mode === 'off' && !this.#given && !this.isLoopback) {
      throw new InvalidArgument(`Without TLS the vault listens on loopback only: ${this.hostname}`)
    }
    this.#handle = createHandOn({
      vault: needs.vault, warn: (message) => log.warn(message), count: start.count, origin: () => this.origin,
    })
  }

  get isLoopback(): boolean {
    return LOOPBACK.test(this.hostname)
  }

  get origin(): string {
    const host = this.hostname.includes(':') ? `[${this.hostname}]` : this.hostname
    return `${this.#tls ? 'https' : 'http'}://${host}:${this.#port}`
  }

  /** `port` 0: it does not listen yet. */
  get address() {
    const { serial, notAfter } = this.#certified ?? {}
    return {
      hostname: this.hostname, port: this.#server?.port ?? 0, tls: this.#tls,
      ...(serial === undefined ? {} : { serial }), ...(notAfter === undefined ? {} : { notAfter }),
    }
  }

  async open(): Promise<void> {
    if (this.#given) return this.#serve(this.#given)
    if (this.#mode === 'off') return this.#serve(undefined)
    const certified = await this.#certify().catch((error: unknown) => this.#later(error))
    if (certified) await this.#serve(certified.tls)
    else if (this.isLoopback) await this.#serve(undefined)
    this.#start.background(() => this.#keep())
  }

  async close(): Promise<void> {
    await this.#server?.close(limits.httpCloseMs)
    this.#server = undefined
  }

  /** A certificate when there is none, and the next when it is time: a failure leaves what there is. */
  async #keep(): Promise<void> {
    const { clock, random, stopping, log } = this.#start
    let failures = 0
    while (!stopping.aborted) {
      const now = clock.now()
      const { renewAt = now + backoffMs(random, failures, RETRY) } = failures === 0 ? this.#certified ?? {} : {}
      await pause(clock, Math.min(Math.max(0, renewAt - now), limits.vaultListenerLookMs), stopping)
      if (stopping.aborted) return
      if (clock.now() < renewAt) continue
      try {
        if (!this.#certified && !await this.#hasAuthority()) throw new Error('The zone has no authority yet')
        const { tls, serial } = await this.#certify()
        if (this.#tls) this.#server!.renew!(tls)
        else {
          // The same port, now by TLS: what is under way without it ends first
          await this.close()
          await this.#serve(tls)
        }
        log.info('The vault listens with a new certificate', { serial, port: this.#port })
        failures = 0
      } catch (error) {
        failures++
        if (this.#certified) log.warn(`The vault’s listener got no new certificate: ${messageOf(error)}`)
      }
    }
  }

  async #hasAuthority(): Promise<boolean> {
    const known = await this.#start.needs.vault.authorities({ mount: 'pki' })
    return known.some(({ state }) => state === 'active')
  }

  async #certify(): Promise<Certified> {
    const { needs: { vault }, keys, random, clock, self } = this.#start
    const now = clock.now()
    this.#certified = await certify({ vault, keys, random, hostname: this.hostname, zone: self.zone, now })
    return this.#certified
  }

  async #serve(tls: HttpTls | undefined): Promise<void> {
    const server = await this.#start.transport.serveHttp({
      hostname: this.hostname, port: this.#port, bodyBytesMax: limits.vaultHttpBody, requestMsMax: limits.vaultHttpMs,
      lists: true, faultBody, ...(tls ? { tls } : {}),
    }, this.#handle)
    this.#server = server
    this.#port = server.port
    this.#tls = tls !== undefined
  }

  #later(error: unknown): undefined {
    const how = this.isLoopback ? 'it listens without TLS until then' : 'it does not listen before'
    this.#start.log.info(`The vault’s listener has no certificate yet, ${how}: ${messageOf(error)}`)
    return undefined
  }
}
