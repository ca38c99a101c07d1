import type { ActorDefinition, Needs } from './actor.ts'
import { actor } from './actor.ts'
import { createActorHost, type ActorHost } from './actor-host.ts'
import { Restarted, StartFailed } from './errors.ts'
import { signLinkCertificate } from './link/certificate.ts'
import { limits } from './limits.ts'
import type { PublicJwk } from './platform/ports.ts'
import { protocol, type Client, type Protocol } from './protocol.ts'
import type { SupervisorOptions } from './spec.ts'
import type { Inspection, Introduction, TrustedDevice, WorkerEvent } from './worker.ts'

/** The name by which a host's supervisor speaks on links. */
export const SUPERVISOR = 'supervisor'

/** One side of an introduction: what that actor is told, and its channel end. */
export interface Side {
  readonly introduction: Introduction
  readonly end: unknown
}

export interface Registration {
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  readonly key: PublicJwk
}

type Minimum = Introduction['minimum']
interface Bare { readonly end: unknown; readonly forCallee: Side }

/** Certifies link keys with the device key, makes channels between actors, and is the supervisor's own end of links. */
export interface Introducer {
  nextIncarnation(actor: string): number
  register(registration: Registration): void
  pair(caller: string, callee: string, minimum: Minimum): { readonly forCaller: Side; readonly forCallee: Side }
  /** A bare channel to an actor that is told to expect `peer`: what an intruder who got hold of a port would have. */
  bare(callee: string, peer: Introduction['peer'], minimum: Minimum, carried?: boolean): Bare
  /** The caller's side of a channel to an actor of another host. */
  toRemote(caller: string, protocol: string, peer: Introduction['peer'], end: unknown, carried: boolean): Side
  /** A channel from `caller` to what the supervisor itself serves. */
  offer(caller: string): Side
  /** The supervisor's client of a protocol. `isNew`: it has no link yet. */
  client<P extends Protocol>(protocol: P): { readonly client: Client<P>; readonly isNew: boolean }
  hasClient(actor: string): boolean
  /** Takes up the caller's side of a pair for the supervisor's client. */
  connect(side: Side): Promise<void>
  /** The actor's incarnation ended: calls of the supervisor's client to it fail. */
  gone(actor: string): void
  trust(devices: readonly TrustedDevice[]): void
  /** The supervisor's own links and counters. */
  inspect(): Inspection
  close(): void
}

const Nothing: ActorDefinition = actor(protocol(SUPERVISOR, {}), {}, () => ({}))

/** `emit` is told what the supervisor's own end of links tells. */
export function createIntroducer(options: SupervisorOptions, emit: (event: WorkerEvent) => void): Introducer {
  const { platform, zone, host, device } = options
  const { clock, keys, random } = platform
  const registered = new Map<string, Registration>()
  const incarnations = new Map<string, number>()
  const clients = new Set<string>()
  // Certificates are fresh with each introduction, so a short life is enough and a stolen one soon useless
  const certify = (registration: Registration): string => signLinkCertificate(device, {
    zone, host, ...registration, exp: Math.floor((clock.now() + limits.linkCertificateMs) / 1000),
  })
  const registrationOf = (name: string): Registration => {
    const found = registered.get(name)
    if (!found) throw new StartFailed(`There is no running actor to introduce: ${name}`, { actor: name })
    return found
  }
  const nextIncarnation = (name: string): number => {
    // Wall time makes it grow across restarts of the host as well
    const next = Math.max((incarnations.get(name) ?? 0) + 1, Math.floor(clock.now()))
    incarnations.set(name, next)
    return next
  }
  const pair: Introducer['pair'] = (caller, callee, minimum) => {
    const [from, to] = [registrationOf(caller), registrationOf(callee)]
    const [callerEnd, calleeEnd] = platform.channelPair()
    const side = (role: Introduction['role'], self: Registration, peer: Registration, end: unknown): Side => ({
      introduction: {
        role, protocol: callee, minimum, certificate: certify(self),
        peer: { host, actor: peer.actor, incarnation: peer.incarnation },
      },
      end,
    })
    return { forCaller: side('initiator', from, to, callerEnd), forCallee: side('responder', to, from, calleeEnd) }
  }

  const linkKey = keys.generate(random.fork('supervisor link key'))
  const incarnation = nextIncarnation(SUPERVISOR)
  const runtimeType = options.devices.find((one) => one.host === host)?.role ?? 'ood'
  registered.set(SUPERVISOR, { actor: SUPERVISOR, runtimeType, incarnation, key: linkKey.public.jwk })
  const own: ActorHost = createActorHost({
    definition: (options.offers as ActorDefinition<Protocol, Needs> | undefined) ?? Nothing, platform, key: linkKey,
    start: {
      zone, host, actor: SUPERVISOR, runtimeType, incarnation, module: '', devices: options.devices,
      kernelActors: options.kernelActors, kernelRuntimeTypes: options.kernelRuntimeTypes ?? [],
      spans: options.spans ?? false,
    },
    emit,
  })
  const running = own.run({ env: {}, secrets: {} })
  running.catch(() => {})

  return {
    nextIncarnation,
    register: (registration) => void registered.set(registration.actor, registration),
    pair,
    bare(callee, peer, minimum, carried = false) {
      const [end, calleeEnd] = platform.channelPair()
      const introduction: Introduction = {
        role: 'responder', protocol: callee, minimum, certificate: certify(registrationOf(callee)), peer,
        ...(carried ? { carried } : {}),
      }
      return { end, forCallee: { introduction, end: calleeEnd } }
    },
    toRemote: (caller, protocol, peer, end, carried) => ({
      introduction: {
        role: 'initiator', protocol, minimum: 'sealed', certificate: certify(registrationOf(caller)), peer,
        ...(carried ? { carried } : {}),
      },
      end,
    }),
    offer(caller) {
      const { forCaller, forCallee } = pair(caller, SUPERVISOR, 'sealed')
      own.introduce(forCallee.introduction, forCallee.end).catch(() => {})
      const { introduction, end } = forCaller
      return { introduction: { ...introduction, protocol: options.offers?.protocol.name ?? SUPERVISOR }, end }
    },
    client<P extends Protocol>(target: P) {
      const isNew = !clients.has(target.name)
      clients.add(target.name)
      return { client: own.caller(target).client as Client<P>, isNew }
    },
    hasClient: (name) => clients.has(name),
    connect: ({ introduction, end }) => own.introduce(introduction, end),
    gone(name) {
      registered.delete(name)
      if (!clients.has(name)) return
      own.callerOf(name)?.detach(new Restarted(`This incarnation of ${name} is gone`, { actor: name }))
    },
    trust: (devices) => own.trust(devices),
    inspect: () => own.inspect(),
    close: () => void own.stop(0),
  }
}
