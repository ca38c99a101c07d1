import type { ZonewrightError } from '../../runtime/errors.ts'
import { createMailbox, type Mailbox } from '../../runtime/mailbox.ts'
import { createService, type Service, type ServiceOptions } from '../../runtime/context.ts'
import { createCaller, type Caller } from '../../runtime/link/caller.ts'
import {
  signLinkCertificate, verifyLinkCertificate, type CertificateRules, type LinkCertificate,
} from '../../runtime/link/certificate.ts'
import { establish, type EstablishOptions } from '../../runtime/link/handshake.ts'
import type { Link, Message } from '../../runtime/link/link.ts'
import { serveLink, type ServedLink } from '../../runtime/link/serve.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Channel, ChannelKind, Clock, Frame, Random, SigningKey, VerifyKey } from '../../runtime/platform/ports.ts'
import type { Protocol } from '../../runtime/protocol.ts'

export const keys = await createCrypto()

/** Counts up: every key and nonce of a test is its own, and the same in each run. */
export function countingRandom(): Random {
  let count = 0
  const random: Random = {
    bytes(length) {
      count++
      return new Uint8Array(length).map((_, index) => (count * 31 + index * 7 + (count >> 8)) & 0xff)
    },
    fork: () => random,
  }
  return random
}

export const random = countingRandom()

export interface TestClock extends Clock {
  /** Moves time and runs what is due, with a pause for microtasks after each. */
  advance(ms: number): Promise<void>
  readonly timers: number
}

export function testClock(): TestClock {
  let now = 1_800_000_000_000
  let timers: { at: number; task: () => void }[] = []
  return {
    now: () => now,
    monotonic: () => now,
    after(delayMs, task) {
      const timer = { at: now + delayMs, task }
      timers.push(timer)
      return () => void (timers = timers.filter((other) => other !== timer))
    },
    soon: (task) => void Promise.resolve().then(task),
    get timers() { return timers.length },
    async advance(ms) {
      const end = now + ms
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((left, right) => left.at - right.at)[0]
        if (!next) break
        timers = timers.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.task()
        await quiet()
      }
      now = end
      await quiet()
    },
  }
}

/** Until everything that goes on by microtasks has come to rest. */
export async function quiet(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await undefined
}

/** Between two ends: sees every frame, and may change, hold, drop or repeat it. */
export type Wire = (frame: Frame, deliver: (frame: Frame) => void, count: number) => void

export interface Ends {
  readonly initiator: Channel
  readonly responder: Channel
  /** Ends both without a word, as when a worker dies. */
  cut(): void
  /** Puts a frame in as if the initiator had sent it. */
  inject(frame: Frame): void
  injectToInitiator(frame: Frame): void
}

export function channelEnds(options: { kind?: ChannelKind; toResponder?: Wire; toInitiator?: Wire } = {}): Ends {
  const kind = options.kind ?? 'port'
  const pass: Wire = (frame, deliver) => deliver(frame)
  let open = true
  const closers: ((reason: string) => void)[] = []
  type Deliver = (frame: Frame) => void
  const end = (wire: Wire): { channel: Channel; deliver: Deliver; connect: (to: Deliver) => void } => {
    let listener: Deliver | undefined
    let closed = false
    let peer: Deliver | undefined
    let count = 0
    return {
      deliver: (frame) => void Promise.resolve().then(() => {
        if (!closed) listener?.(frame)
      }),
      connect: (to) => void (peer = to),
      channel: {
        kind,
        send(frame) {
          if (!open) return
          wire(frame, peer!, count++)
        },
        receive(onFrame, onClose) {
          listener = onFrame
          closers.push((reason) => {
            if (closed) return
            closed = true
            onClose(reason)
          })
        },
        close,
      },
    }
  }
  function close(reason: string): void {
    if (!open) return
    open = false
    void Promise.resolve().then(() => closers.forEach((closer) => closer(reason)))
  }
  const [initiator, responder] = [end(options.toResponder ?? pass), end(options.toInitiator ?? pass)]
  initiator.connect(responder.deliver)
  responder.connect(initiator.deliver)
  return {
    initiator: initiator.channel, responder: responder.channel, cut: () => close('cut'),
    inject: responder.deliver, injectToInitiator: initiator.deliver,
  }
}

export const ZONE = 'zone.test'
export const device = keys.generate(random)
export const otherDevice = keys.generate(random)

export interface Identity {
  readonly actor: string
  readonly incarnation: number
  readonly key: SigningKey
  readonly certificate: string
}

export type CertificateChange = Partial<Omit<LinkCertificate, 'key'>> & { readonly device?: SigningKey }

export function identity(actor: string, clock: Clock, change: CertificateChange = {}): Identity {
  const key = keys.generate(random)
  const { device: signer = device, ...fields } = change
  const certificate = signLinkCertificate(signer, {
    zone: ZONE, host: 'host-1', actor, runtimeType: 'service', key: key.public.jwk, incarnation: 1,
    exp: Math.floor(clock.now() / 1000) + 600, ...fields,
  })
  return { actor, incarnation: fields.incarnation ?? 1, key, certificate }
}

const devices: Record<string, { role: 'ood' | 'node'; key: VerifyKey }> = {
  'host-1': { role: 'ood', key: device.public },
  'host-2': { role: 'node', key: otherDevice.public },
}

export function rules(clock: Clock): CertificateRules {
  return {
    keys, zone: ZONE, nowMs: clock.now(),
    device: (host) => devices[host],
    allows: (_host, role, actor) => role === 'ood' || actor !== 'verify-hub',
  }
}

export function side(
  role: 'initiator' | 'responder', self: Identity, expect: { actor: string; incarnation?: number; host?: string },
  clock: Clock, change: Partial<EstablishOptions> = {},
): EstablishOptions {
  return {
    role,
    self: { zone: ZONE, host: 'host-1', runtimeType: 'service', ...self },
    expect: { host: expect.host ?? 'host-1', actor: expect.actor, incarnation: expect.incarnation ?? 1 },
    minimum: 'mac', clock, random, keys,
    verifyCertificate: (text) => verifyLinkCertificate(text, rules(clock)),
    ...change,
  }
}

export interface LinkPair {
  readonly clock: TestClock
  readonly ends: Ends
  readonly initiator: Link
  readonly responder: Link
  /** Why the responder rejected frames. */
  readonly rejected: string[]
}

export interface PairOptions {
  readonly ends?: Ends
  readonly clock?: TestClock
  readonly minimum?: 'mac' | 'sealed'
  readonly incarnation?: number
}

export async function linkPair(options: PairOptions = {}): Promise<LinkPair> {
  const clock = options.clock ?? testClock()
  const ends = options.ends ?? channelEnds()
  const rejected: string[] = []
  const minimum = options.minimum ?? 'mac'
  const onRejected = (error: ZonewrightError): void => void rejected.push(String(error.details['reason']))
  const incarnation = options.incarnation ?? 1
  const [alice, bob] = [identity('alice', clock), identity('bob', clock, { incarnation })]
  const [initiator, responder] = await Promise.all([
    establish(ends.initiator, side('initiator', alice, { actor: 'bob', incarnation }, clock, { minimum })),
    establish(ends.responder, side('responder', bob, { actor: 'alice' }, clock, { minimum, onRejected })),
  ])
  return { clock, ends, initiator, responder, rejected }
}

export interface Served<P extends Protocol> extends LinkPair {
  readonly caller: Caller<P>
  readonly service: Service
  readonly mailbox: Mailbox
  readonly served: ServedLink
  readonly faults: unknown[]
}

/** A protocol served over a fresh link, with its caller at the other end. */
export async function serve<P extends Protocol>(
  protocol: P, handlers: Record<string, unknown>,
  options: PairOptions & Partial<ServiceOptions> & { capacity?: number } = {},
): Promise<Served<P>> {
  const clock = options.clock ?? testClock()
  const mailbox = createMailbox({ capacity: options.capacity ?? 1_000, clock })
  const faults: unknown[] = []
  const service = createService({
    protocol, handlers, mailbox, callers: {}, keys, self: { host: 'host-1', actor: 'bob' },
    onFault: (error) => void faults.push(error), ...options, clock,
  })
  const pair = await linkPair({ ...options, clock })
  const served = serveLink(pair.responder, service)
  const caller = createCaller(protocol, { clock, keys })
  caller.attach(pair.initiator)
  return { ...pair, caller, service, mailbox, served, faults }
}

/** The error that a promise is rejected with. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<ZonewrightError> {
  try {
    await promise
  } catch (error) {
    return error as ZonewrightError
  }
  throw new Error('It did not fail')
}

/** What an end of a link has seen. */
export interface Listener {
  readonly messages: Message[]
  readonly signed: boolean[]
  readonly closed: ZonewrightError[]
}

export function listen(link: Link): Listener {
  const listener: Listener = { messages: [], signed: [], closed: [] }
  link.receive((message, signed) => {
    listener.messages.push(message)
    listener.signed.push(signed)
  }, (error) => void listener.closed.push(error))
  return listener
}
