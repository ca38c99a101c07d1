import { Cancelled, DeadlineExceeded, Unavailable } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Keys } from '../platform/ports.ts'
import type { TlsCall, TlsConnection, TlsPeer, TlsServing, TlsStreams } from '../platform/tls-ports.ts'
import { clockOf } from './host-clock.ts'
import type { Medium } from './network.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedThread } from './thread.ts'
import { StreamEnd } from './tls-stream.ts'
import { cannotBeSetUp, judgeClient, judgeServer, notTrusted, shownBy, type Shown } from './tls-trust.ts'

const DEFAULT_ALPN = 'http/1.1'

/** A port that listens, as it is when somebody connects. */
export interface TlsListener {
  readonly thread: SimulatedThread
  /** Undefined: it speaks no TLS. */
  readonly tls: () => TlsServing | undefined
  readonly streams: TlsStreams | undefined
  /** A connection has begun: `cut` ends it. Answers with what to call when it is over. */
  readonly begun: (cut: () => void) => () => void
}

export interface Dial {
  readonly from: SimulatedThread
  readonly listener: TlsListener | undefined
  readonly medium: Medium
  readonly random: SeededRandom
  readonly keys: Keys
  /** For messages: `host:port`. */
  readonly where: string
  /** Whom the certificate has to name. */
  readonly hostname: string
  readonly withinMs: number
  readonly signal: AbortSignal | undefined
  /** What each end sees of the other. */
  readonly addresses: { readonly client: string; readonly server: string }
}

export interface Dialled {
  readonly connection: TlsConnection
  /** What the server knows of the client, once it does. */
  readonly accepted: Promise<TlsPeer>
}

/**
 * The handshake of TLS 1.3 by its messages: who connects says what it speaks, is shown a certificate, judges it and
 * shows its own. The keys and ciphers of it are left out: nobody in a simulation reads what is on a wire.
 * @throws TlsNotTrusted, Unavailable, DeadlineExceeded, Cancelled, InvalidArgument
 */
export async function dialTls(dial: Dial, call: TlsCall): Promise<Dialled> {
  const { from, medium: { schedule }, where, withinMs, signal } = dial
  const cancelled = (): Error => new Cancelled(`The connection to ${where} was cancelled`)
  if (signal?.aborted) throw cancelled()
  let own: Shown | undefined
  try {
    own = call.client ? shownBy(call.client, dial.keys) : undefined
  } catch (error) {
    throw cannotBeSetUp(where, error)
  }
  const done = schedule.waiting(from, `TLS with ${where}`)
  let giveUp = (_error: Error): void => {}
  const abort = (): void => giveUp(cancelled())
  signal?.addEventListener('abort', abort)
  const late = schedule.after({
    to: from, lane: from.lane, delayUs: withinMs * 1_000, kind: 'timer', from: `tls ${where}`,
    task: () => giveUp(new DeadlineExceeded(`No TLS with ${where} within ${withinMs} ms`)),
  })
  try {
    return await new Promise<Dialled>((resolve, reject) => {
      giveUp = new Handshake(dial, call, own, resolve, reject).end
    })
  } finally {
    signal?.removeEventListener('abort', abort)
    late()
    done()
  }
}

class Handshake {
  readonly #dial: Dial
  readonly #call: TlsCall
  readonly #own: Shown | undefined
  readonly #resolve: (dialled: Dialled) => void
  readonly #reject: (error: Error) => void
  readonly #near: StreamEnd
  readonly #far: StreamEnd

  constructor(
    dial: Dial, call: TlsCall, own: Shown | undefined, resolve: (dialled: Dialled) => void,
    reject: (error: Error) => void,
  ) {
    const { from, listener, medium, random, where } = dial
    this.#dial = dial
    this.#call = call
    this.#own = own
    this.#resolve = resolve
    this.#reject = reject
    ;[this.#near, this.#far] = StreamEnd.pair(`tls ${where}`, from, listener?.thread ?? from, medium, random)
    this.#near.onOver = () => reject(new Unavailable(`No TLS with ${where}: the connection was closed`))
    this.#near.tell('tls-hello', `${call.alpn ?? DEFAULT_ALPN}`, () => this.#atServer(listener))
  }

  /** The client gives up. */
  readonly end = (error: Error): void => {
    this.#reject(error)
    this.#near.cut('given up')
  }

  #refuse(error: Error): void {
    this.#far.tell('tls-alert', error.message, () => this.end(error))
  }

  #atServer(listener: TlsListener | undefined): void {
    const { where, medium: { schedule }, keys } = this.#dial
    const tls = listener?.tls()
    if (!listener) return this.#refuse(new Unavailable(`No connection to ${where}: ECONNREFUSED`))
    if (!tls) return this.#refuse(notTrusted('no-tls', `What listens on ${where} speaks no TLS 1.3`))
    const far = this.#far
    const over = listener.begun(() => far.cut('the server closes'))
    const alpn = this.#call.alpn ?? DEFAULT_ALPN
    const spoken = [...tls.alpn ?? [DEFAULT_ALPN], ...listener.streams?.alpn ?? []]
    const handshakeMs = tls.handshakeMs ?? limits.tlsHandshakeMs
    const late = schedule.after({
      to: listener.thread, lane: listener.thread.lane, delayUs: handshakeMs * 1_000, kind: 'timer',
      from: `handshake ${where}`, task: () => far.cut('no handshake in time'),
    })
    far.onOver = () => {
      late()
      over()
    }
    if (!spoken.includes(alpn)) {
      this.#refuse(notTrusted('refused', `${where} refuses the connection: no application protocol`))
      return far.cut('refused')
    }
    const shown = shownBy(tls, keys)
    far.tell('tls-certificate', shown[0].raw, () => this.#atClient(shown, alpn, (accepted) => {
      late()
      const certificate = judgeClient(this.#own, tls, this.#now(listener.thread), keys)
      const { client } = this.#dial.addresses
      if (listener.streams?.alpn.includes(alpn)) listener.streams.accept(far.connection(alpn, client, certificate))
      accepted({ alpn, ...(certificate ? { certificate } : {}) })
    }))
  }

  #atClient(shown: Shown, alpn: string, finish: (accepted: (peer: TlsPeer) => void) => void): void {
    const { where, hostname, keys, from, addresses } = this.#dial
    const [leaf] = shown
    try {
      judgeServer(shown, this.#call, this.#call.servername ?? hostname, where, this.#now(from), keys)
      this.#call.check?.(leaf.raw)
    } catch (error) {
      return this.end(error as Error)
    }
    const near = this.#near
    const accepted = new Promise<TlsPeer>((resolve, reject) => {
      near.onOver = () => reject(new Unavailable(`No answer from ${where}: the connection was closed`))
      near.tell('tls-finished', this.#own?.[0].raw ?? '', () => finish(resolve))
    })
    accepted.catch(() => {})
    const certificate = this.#call.roots === 'anybody' ? undefined : leaf.raw
    this.#resolve({ connection: near.connection(alpn, addresses.server, certificate), accepted })
  }

  #now(thread: SimulatedThread): number {
    return clockOf(this.#dial.medium.schedule, thread).now()
  }
}
