import { messageOf, Unavailable } from './errors.ts'
import type { Incarnation, Surroundings } from './incarnation.ts'
import type { Side } from './introduce.ts'
import { limits } from './limits.ts'
import type { RemoteActor } from './remote.ts'
import { backoffMs } from './restart.ts'
import type { LinkEvent } from './trace.ts'
import { deferred, pause, type Deferred } from './within.ts'

/** A link of this incarnation on its way, or up. */
interface Opened {
  readonly side: Side
  /** Of the callee. */
  readonly incarnation: number
  /** Settles when the callee's incarnation has ended, where its death does not end the caller as well. */
  readonly gone: Promise<boolean | void>
  /** The caller has died: closes the callee's end. */
  release(): void
}

const RELINK = { min: limits.relinkMsMin, max: limits.relinkMsMax }
/** A link that is refused again and again is worth a word. */
const FAILURES_TOLD = 10

/**
 * The links of one incarnation to what it needs, for as long as it lives. Whoever dies on this host takes those that
 * need it along; an actor of another host does not, so the link to it is made anew when it serves again. So is a link
 * that closed while both ends live: one rejected frame must not part two actors for good.
 */
export class NeedLinks {
  readonly #caller: string
  readonly #incarnation: Incarnation
  readonly #in: Surroundings
  readonly #warn: (message: string) => void
  readonly #ended = new AbortController()
  /** By need: the link that is up or on its way, and who waits for its end. */
  readonly #closed = new Map<string, { readonly opened: Opened; readonly over: Deferred<void> }>()

  constructor(caller: string, incarnation: Incarnation, surroundings: Surroundings, warn: (message: string) => void) {
    this.#caller = caller
    this.#incarnation = incarnation
    this.#in = surroundings
    this.#warn = warn
  }

  /** The first links to actors of this host, which the start function gets; those to other hosts come beside it. */
  begin(needs: readonly string[], uses: readonly string[]): Side[] {
    const sides: Side[] = []
    for (const use of uses) if (this.#exists(use)) void this.#keep(use, () => this.#openUsed(use))
    for (const need of needs) {
      const remote = this.#in.remote(need)
      if (remote) {
        void this.#keep(need, () => this.#openRemote(need, remote))
        continue
      }
      const first = this.#openLocal(need)
      sides.push(first.side)
      void this.#keep(need, async () => this.#openLocal(need), first)
    }
    return sides
  }

  /** The worker told that a link of the caller's has closed. */
  closed({ protocol, peerIncarnation }: LinkEvent): void {
    const link = this.#closed.get(protocol)
    if (link?.opened.incarnation === peerIncarnation) link.over.resolve()
  }

  /** The incarnation goes, and its links with it. */
  end(): void {
    this.#ended.abort()
    for (const { opened, over } of this.#closed.values()) {
      over.resolve()
      // One that stops in order has closed its links itself
      if (this.#incarnation.thread.dead !== undefined) opened.release()
    }
  }

  async #keep(need: string, open: () => Promise<Opened>, first?: Opened): Promise<void> {
    const { clock, random } = this.#in.options.platform
    const jitter = random.fork(`relink ${this.#caller} ${need}`)
    const { signal } = this.#ended
    let failures = 0
    let opened = first
    while (!signal.aborted) {
      const began = clock.monotonic()
      try {
        const isNew = opened === undefined
        opened ??= await open()
        if (signal.aborted) return opened.release()
        await this.#untilClosed(need, opened, isNew)
      } catch (error) {
        if (failures === FAILURES_TOLD && !signal.aborted) this.#warn(`It has no link to ${need}: ${messageOf(error)}`)
      }
      opened = undefined
      failures = clock.monotonic() - began > limits.relinkMsMax ? 0 : failures + 1
      await pause(clock, backoffMs(jitter, failures - 1, RELINK), signal)
    }
  }

  async #untilClosed(need: string, opened: Opened, isNew: boolean): Promise<void> {
    const over = deferred<void>()
    this.#closed.set(need, { opened, over })
    const ended = Promise.race([over.promise, opened.gone])
    // One that ends while the handshake is under way need not be waited for
    if (isNew) await Promise.race([this.#incarnation.tell(opened.side), ended])
    const hasEnded = await ended === true
    if (this.#ended.signal.aborted) return
    this.#incarnation.detach(need, `The link to ${need} is gone`, hasEnded)
  }

  #openLocal(need: string): Opened {
    const { introducer, options } = this.#in
    // Its end is the caller's end as well
    const gone = new Promise<void>(() => {})
    if (need === options.offers?.protocol.name) {
      const side = introducer.offer(this.#caller)
      return { side, incarnation: side.introduction.peer.incarnation, gone, release: () => {} }
    }
    const callee = this.#in.life(need)
    if (callee.state !== 'serving') throw new Unavailable(`It does not serve: ${need}`)
    const { forCaller, forCallee } = introducer.pair(this.#caller, need, callee.spec.minimum)
    // A link that does not come up fails at this end as well, and here it is reported
    callee.tell(forCallee).catch(() => {})
    return {
      side: forCaller, incarnation: forCaller.introduction.peer.incarnation, gone,
      release: () => callee.release(forCallee.introduction.peer),
    }
  }

  #exists(use: string): boolean {
    try {
      return this.#in.remote(use) !== undefined || this.#in.life(use) !== undefined
    } catch {
      return false
    }
  }

  /** The caller lives on without it. */
  async #openUsed(use: string): Promise<Opened> {
    const remote = this.#in.remote(use)
    return remote ? this.#openRemote(use, remote) : { ...this.#openLocal(use), gone: this.#in.life(use).over }
  }

  async #openRemote(need: string, remote: RemoteActor): Promise<Opened> {
    const { introducer, options } = this.#in
    const caller = { host: options.host, actor: this.#caller, incarnation: this.#incarnation.number }
    const { end, host, incarnation, gone, release, carried } = await remote.open(caller)
    try {
      const peer = { host, actor: need, incarnation }
      return { side: introducer.toRemote(this.#caller, need, peer, end, carried), incarnation, gone, release }
    } catch (error) {
      // The caller has ended meanwhile
      release()
      throw error
    }
  }
}
