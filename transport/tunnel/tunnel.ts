import { DeadlineExceeded, Denied, messageOf, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel, Frame } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { deferred } from '../../runtime/within.ts'
import { KeepAlive } from './keep-alive.ts'
import {
  decodeControl, decodeStreamMessage, encodeControl, faultOf, thrownOf, VERSION, violation, type Control,
} from './messages.ts'
import { Outbox } from './outbox.ts'
import {
  RenewalRefused, TunnelViolation, type Greeting, type NextCertificate, type OpenedStream, type OpenTunnel,
  type StreamRequest, type TellKind, type TunnelEnd, type TunnelOptions,
} from './protocol.ts'
import { Renewals } from './renew.ts'
import { Streams } from './streams.ts'
import { TellInbox, TellOutbox } from './tell.ts'

export const openTunnel: OpenTunnel = (options) => new Tunnel(options).begin()

/** What there is once both ends have said who they are. */
interface Open {
  readonly peer: Greeting
  readonly streams: Streams
  readonly renewals: Renewals | undefined
}

class Tunnel implements TunnelEnd {
  readonly #options: TunnelOptions
  readonly #greeting: Greeting
  readonly #outbox: Outbox
  readonly #tells: TellOutbox
  readonly #told: TellInbox
  readonly #keepAlive: KeepAlive
  readonly #opened = deferred<TunnelEnd>()
  readonly #over = deferred<string>()
  #phase: 'greeting' | 'judging' | 'ready' | 'open' | 'closed' = 'greeting'
  #open: Open | undefined
  #late: Cancel | undefined

  constructor(options: TunnelOptions) {
    const { channel, random, hello, clock } = options
    this.#options = options
    this.#greeting = {
      zone: hello.zone, host: hello.host, nonce: toBase64url(random.bytes(32)), window: limits.tunnelWindowBytes,
    }
    this.#outbox = new Outbox(channel)
    this.#tells = new TellOutbox((message) => channel.send(message))
    this.#told = new TellInbox((kind, document) => options.onTell(kind, document))
    this.#keepAlive = new KeepAlive(clock, (n) => this.#say({ t: 'ping', n }), () => this.#look())
  }

  begin(): Promise<TunnelEnd> {
    const { channel, clock, role } = this.#options
    this.#late = clock.after(limits.tunnelHelloMs, () => this.#end(new DeadlineExceeded(
      `The other end did not say who it is within ${limits.tunnelHelloMs} ms`), true))
    channel.receive((frame) => this.#receive(frame), (reason) => this.#end(new Unavailable(
      `The tunnel is closed: ${reason}`), false, reason))
    if (role === 'dialer') this.#say({ t: 'hello', v: VERSION, greeting: this.#greeting })
    return this.#opened.promise
  }

  get peer(): Greeting { return this.#open!.peer }
  get streams(): number { return this.#open?.streams.size ?? 0 }
  get held(): number { return this.#open?.streams.held ?? 0 }
  get closed(): Promise<string> { return this.#over.promise }

  open(request: StreamRequest, signal?: AbortSignal): Promise<OpenedStream> {
    return this.#open!.streams.open(request, signal)
  }

  tell(kind: TellKind, document: string): void {
    if (this.#phase === 'open' && this.#tells.add(kind, document)) this.#outbox.add(this.#tells)
  }

  async renew(next: NextCertificate): Promise<void> {
    if (this.#phase !== 'open') throw new Unavailable('The tunnel is closed')
    const { renewals } = this.#open!
    if (!renewals) throw new RenewalRefused('The tunnel has no certificates', { reason: 'none' })
    await renewals.renew(next)
  }

  close(reason: string): void {
    this.#end(new Unavailable(reason), true)
  }

  #say(message: Control): void {
    if (this.#phase !== 'closed') this.#options.channel.send(encodeControl(message))
  }

  #receive(frame: Frame): void {
    if (this.#phase === 'closed') return
    this.#keepAlive.heard()
    try {
      if (typeof frame === 'string') this.#control(decodeControl(frame))
      else if (this.#phase !== 'open') throw violation('bytes before a greeting')
      else this.#open!.streams.take(decodeStreamMessage(frame))
    } catch (error) {
      if (!(error instanceof TunnelViolation)) throw error
      this.#end(error, true)
    }
  }

  #control(message: Control): void {
    if (message.t === 'end') return this.#end(thrownOf(message.error), false)
    if (this.#phase === 'open') return this.#dispatch(message, this.#open!)
    const { role } = this.#options
    if (this.#phase === 'ready' && message.t === 'ready') return this.#begun()
    if (this.#phase === 'greeting' && message.t === (role === 'dialer' ? 'welcome' : 'hello')) {
      return void this.#judge(message.greeting)
    }
    throw violation(`${message.t} out of turn`)
  }

  #dispatch(message: Exclude<Control, { t: 'end' }>, { streams, renewals }: Open): void {
    switch (message.t) {
      case 'open': return streams.wanted(message)
      case 'opened': return streams.opened(message)
      case 'refused': return streams.refused(message)
      case 'close': return streams.ended(message)
      case 'ping': return this.#say({ t: 'pong', n: message.n })
      case 'pong': return this.#keepAlive.answered(message.n)
      case 'tell': return this.#told.take(message)
      case 'renew':
        if (!renewals) throw violation('a renewal where there are no certificates')
        return renewals.take(message)
      case 'renewed':
      case 'renewal-refused':
        if (!renewals) throw violation('an answer to no renewal')
        return renewals.answered(message.n, message.t === 'renewed' ? undefined : thrownOf(message.error))
      default: throw violation(`${message.t} out of turn`)
    }
  }

  /** Nothing else may come before the answer: the other end does not know it. */
  async #judge(peer: Greeting): Promise<void> {
    const { role, hello, onHello } = this.#options
    this.#phase = 'judging'
    try {
      if (peer.nonce === this.#greeting.nonce) throw violation('what was said to it comes back')
      if (peer.zone !== hello.zone) throw new Denied('The other end is of another zone', { reason: 'zone' })
      await onHello(peer)
      if (this.#isOver()) return
      this.#open = this.#made(peer)
    } catch (error) {
      return this.#end(error as Error, true)
    }
    this.#phase = 'ready'
    if (role === 'listener') return this.#say({ t: 'welcome', v: VERSION, greeting: this.#greeting })
    this.#say({ t: 'ready' })
    this.#begun()
  }

  #isOver(): boolean { return this.#phase === 'closed' }

  #made(peer: Greeting): Open {
    const { role, clock, channel, certificates, onOpen, onRenew } = this.#options
    const say = (message: Control): void => this.#say(message)
    const nonces = role === 'dialer' ? [this.#greeting.nonce, peer.nonce] : [peer.nonce, this.#greeting.nonce]
    return {
      peer,
      streams: new Streams({
        role, clock, peer: peer.host, peerWindow: peer.window, say,
        onOpen: async (request, signal) => onOpen(request, signal),
        send: (message) => { if (!this.#isOver()) channel.send(message) },
        ready: (source) => this.#outbox.add(source),
      }),
      renewals: certificates && new Renewals({
        role, clock, ...certificates, nonces: nonces as [string, string], send: say,
        onRenew: async (chain) => onRenew(chain),
      }),
    }
  }

  #begun(): void {
    this.#phase = 'open'
    this.#late?.()
    this.#keepAlive.start()
    this.#opened.resolve(this)
  }

  /** False when the tunnel is over. */
  #look(): boolean {
    if (this.#keepAlive.silent) {
      this.#end(new Unavailable(`The other end has said nothing for ${limits.tunnelSilenceMs} ms`), true)
    } else if (this.#open?.renewals?.ended) {
      this.#end(new Denied('The certificate of the other end has ended', { reason: 'expired' }), true)
    }
    return !this.#isOver()
  }

  /** `tell`: the other end as well. */
  #end(error: Error, tell: boolean, reason = messageOf(error)): void {
    if (this.#isOver()) return
    if (tell) this.#say({ t: 'end', error: faultOf(error) })
    this.#phase = 'closed'
    this.#options.channel.close(reason)
    this.#late?.()
    this.#keepAlive.stop()
    this.#outbox.clear()
    this.#told.close()
    this.#open?.streams.cut(reason)
    this.#open?.renewals?.close(reason)
    this.#opened.reject(error)
    this.#over.resolve(reason)
  }
}
