import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub, type TokenPair } from '../../actors/verify-hub/protocol.ts'
import { Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import { signLinkCertificate, verifyLinkCertificate, type LinkCertificate } from '../../runtime/link/certificate.ts'
import { establish, type EstablishOptions } from '../../runtime/link/handshake.ts'
import type { Base, Link } from '../../runtime/link/link.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import type { Client, Infer, Protocol } from '../../runtime/protocol.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims, type TokenUse } from '../../runtime/trust/token.ts'
import type { RunningZone } from '../up.ts'
import { tapped, type Tap } from './wire.ts'

export type Pair = Infer<typeof TokenPair>

/** Who comes to an actor's door. What is left out is as it should be: the prover, certified by this host's device. */
export interface Visitor {
  readonly actor?: string
  readonly runtimeType?: string
  readonly key?: SigningKey
  /** Its certificate, where that is not the one that this host gives. */
  readonly certificate?: (honest: LinkCertificate, device: SigningKey) => string
  /** Whom the callee was told to expect, where that is not who comes. */
  readonly introducedAs?: { readonly actor?: string; readonly incarnation?: number }
  readonly offers?: readonly Base[]
  /** What happens on the wire from the first handshake message on. */
  readonly alter?: Tap['alter']
}

export interface Door {
  readonly tap: Tap
  /** The callee's word on the handshake. */
  readonly accepted: Promise<void>
  readonly options: EstablishOptions
}

export interface Connection<P extends Protocol> {
  readonly client: Client<P>
  readonly tap: Tap
}

/** The app under whose name the prover logs in: the example service, which every zone runs. */
export const APPID = 'service'
/** A key that this app may write, and that nobody else reads. */
export const scratchKey = `services/${APPID}/instances/prove`

const ofService = { appid: APPID, runtime_type: 'service' } as const

/** What the claims of each use are where it is what it should be. */
const usual = {
  session: { appid: 'node-daemon', runtime_type: 'ood' },
  boot: { sub: 'scheduler', appid: 'scheduler', runtime_type: 'kernel-service' },
  login: { aud: ['verify-hub'], ...ofService },
  refresh: { aud: ['verify-hub'], ...ofService },
  root: { iss: 'root', sub: 'root', appid: 'cli', runtime_type: 'user' },
  sudo: { appid: 'cli', runtime_type: 'user' },
} as const satisfies Readonly<Record<TokenUse, Partial<TokenClaims>>>

/** What the prover has: this host's device key, as an OOD has, and channel ends to the actors. Not the owner key. */
export class Scene {
  readonly zone: RunningZone
  readonly platform: Platform
  readonly device: SigningKey
  readonly host: string
  /** The prover's link key, which its sessions are bound to. */
  readonly key: SigningKey
  /** A key that nobody in the zone knows. */
  readonly stranger: SigningKey
  /** That key, under the name of the device's. */
  readonly impostor: SigningKey
  readonly #incarnation: number
  readonly #sessions = new Map<string, Promise<Pair>>()
  readonly #logins: Pair[] = []
  #open: ((reason: ZonewrightError) => void)[] = []

  constructor(zone: RunningZone, platform: Platform) {
    const { keys, random, clock } = platform
    this.zone = zone
    this.platform = platform
    this.device = zone.identity.device
    this.host = zone.config.host
    this.key = keys.generate(random.fork('prove link key'))
    this.stranger = keys.generate(random.fork('prove stranger'))
    const { stranger, device } = this
    this.impostor = {
      public: device.public, sign: (message) => stranger.sign(message), exportPem: () => stranger.exportPem(),
    }
    this.#incarnation = Math.floor(clock.now())
  }

  /** The channel to an actor's door, and what an honest handshake through it would use. */
  door(callee: string, visitor: Visitor = {}): Door {
    const { clock, keys, random } = this.platform
    const { actor = APPID, runtimeType = 'service', key = this.key } = visitor
    const incarnation = this.#incarnation
    const exposed = this.zone.expose(callee, { host: this.host, actor, incarnation, ...visitor.introducedAs })
    const tap = tapped(this.platform.openChannel(exposed.end))
    if (visitor.alter) tap.alter = visitor.alter
    const named = { zone: this.zone.config.zone, host: this.host, actor, runtimeType, incarnation }
    const honest: LinkCertificate = {
      ...named, key: key.public.jwk, exp: Math.floor((clock.now() + limits.linkCertificateMs) / 1000),
    }
    const certify = visitor.certificate ?? ((fields, device) => signLinkCertificate(device, fields))
    this.#open.push(() => tap.close('the attempt is over'))
    return {
      tap, accepted: exposed.accepted,
      options: {
        role: 'initiator', self: { ...named, key, certificate: certify(honest, this.device) },
        expect: { host: this.host, actor: callee, incarnation: exposed.incarnation }, minimum: 'mac',
        ...(visitor.offers ? { offers: visitor.offers } : {}), clock, keys, random: random.fork('prove link'),
        verifyCertificate: (text) => verifyLinkCertificate(text, {
          keys, zone: this.zone.config.zone, nowMs: clock.now(),
          device: (host) => (host === this.host ? { role: 'ood', key: this.device.public } : undefined),
          allows: () => true,
        }),
      },
    }
  }

  /** Settles when the callee has taken the visitor in. @throws HandshakeFailed with the callee's reason */
  async knock(callee: string, visitor: Visitor): Promise<void> {
    const { tap, accepted, options } = this.door(callee, visitor)
    const link = establish(tap, options)
    link.catch(() => {})
    await accepted
    await link
  }

  async link(callee: string, visitor: Visitor = {}): Promise<{ link: Link; tap: Tap }> {
    const { tap, options } = this.door(callee, visitor)
    const link = await establish(tap, options)
    this.#open.push((reason) => link.close(reason))
    return { link, tap }
  }

  async connect<P extends Protocol>(protocol: P, visitor: Visitor = {}): Promise<Connection<P>> {
    const { clock, keys } = this.platform
    const { link, tap } = await this.link(protocol.name, visitor)
    const caller = createCaller(protocol, { clock, keys })
    // A call made after the callee closed the link fails with what the callee said
    caller.attach(link, (error) => caller.close(error))
    this.#open.push((reason) => caller.close(reason))
    return { client: caller.client, tap }
  }

  /** Closes every link of the attempt. */
  hangUp(): void {
    const open = this.#open.reverse()
    this.#open = []
    for (const close of open) close(new Unavailable('The attempt is over'))
  }

  nowSeconds(): number {
    return Math.floor(this.platform.clock.now() / 1000)
  }

  /** A token of this use with all that it should say, save for the changes, and signed by the device. */
  token(use: TokenUse, changes: Partial<TokenClaims> = {}, by: SigningKey = this.device): string {
    const iat = this.nowSeconds()
    return signToken(by, {
      iss: this.host, sub: this.host, aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds[use],
      jti: toBase64url(this.platform.random.fork('prove jti').bytes(16)), token_use: use,
      epoch: this.zone.identity.zone.epoch, ...usual[use], ...changes,
    })
  }

  /** A new login by the prover as this app; logged out at the end. */
  async login(appid: string = APPID, audiences: readonly string[] = []): Promise<Pair> {
    const { client } = await this.connect(VerifyHub, { actor: appid })
    return this.keep(await client.loginByJwt({ jwt: this.token('login', { appid }), audiences: [...audiences] }))
  }

  /** Remembers a login, to end it. */
  keep(pair: Pair): Pair {
    this.#logins.push(pair)
    return pair
  }

  /** A session that attempts share; they must not end it. */
  session(appid: string = APPID, audiences: readonly string[] = []): Promise<Pair> {
    const name = [appid, ...audiences].join(' ')
    const known = this.#sessions.get(name) ?? this.login(appid, audiences)
    this.#sessions.set(name, known)
    return known
  }

  /** As this host reads it: the supervisor's own link, and a session that the device issues to itself. */
  read(key: string): Promise<{ value: string; revision: number } | null> {
    return this.zone.get(SystemConfig).get({ key }, { token: this.token('session') })
  }

  async snapshot(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(await Promise.all(names.map(async (name) => [name, JSON.stringify(await this.read(name))] as const)))
  }

  /** Takes back what the proof left behind. @returns what is left all the same */
  async clear(): Promise<readonly string[]> {
    if (await this.read(scratchKey)) {
      const { sessionToken: token } = await this.session(APPID, ['system-config'])
      const { client } = await this.connect(SystemConfig)
      await client.delete({ key: scratchKey }, { token })
    }
    const hub = this.zone.get(VerifyHub)
    const left = await this.read(scratchKey) ? [scratchKey] : []
    for (const { refreshToken, sid } of this.#logins) {
      await hub.logout({ refreshToken })
      if ((await hub.verifySession({ sid })).active) left.push(`session ${sid}`)
    }
    return left
  }
}
