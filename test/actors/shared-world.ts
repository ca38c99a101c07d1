/**
 * Several system-configs on one store in virtual time, as far as what is enforced goes: the real `createShared` and
 * `createEnforcers` of each, enforcers that count their leases as the real ones do, clocks that run at rates of their
 * own, hosts that stand still, are cut off, end and come back, and messages that take their time.
 */
import { createEnforcers, type Enforcers } from '../../actors/system-config/enforcers.ts'
import { newsOperation } from '../../actors/system-config/shared/news.ts'
import { createShared, type Shared } from '../../actors/system-config/shared/shared.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { ENDED, PENDING } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Event, Store } from '../../runtime/store/store.ts'

const POLICY = 'kv/policy'

interface Timer { readonly at: number; run: () => void }

export class SharedWorld {
  now = 1_000
  readonly random: SeededRandom
  readonly store: Store
  readonly hosts: Host[] = []
  /** The newest policy that a writer was answered for, by its revision. */
  answered = 0
  readonly broken: string[] = []
  readonly #timers: Timer[] = []

  constructor(seed: string) {
    this.random = new SeededRandom(seed)
    this.store = createMemoryStore({ clock: this.clock(1, () => 0), random: this.random.fork('store') })
  }

  /** From 0 up to 1. */
  unit(): number {
    return new DataView(this.random.bytes(4).buffer).getUint32(0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.unit() * limit)
  }

  /** By the world's time. */
  after(ms: number, run: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(0, ms), run }
    // Sorted, the next one last
    let [low, high] = [0, this.#timers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#timers[middle]!.at > timer.at) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    return () => { timer.run = () => {} }
  }

  /** `thawsAt`: until then nothing of this clock's host runs. */
  clock(rate: number, thawsAt: () => number): Clock {
    const later = (run: () => void): void => {
      if (thawsAt() > this.now) this.after(thawsAt() - this.now, () => later(run))
      else run()
    }
    return {
      now: () => this.now * rate, monotonic: () => this.now * rate, soon: (task) => queueMicrotask(task),
      after: (ms, task) => this.after(ms / rate, () => later(task)),
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => { this.after(ms, resolve) })
  }

  async run(untilMs: number): Promise<void> {
    const end = this.now + untilMs
    while (this.broken.length === 0) {
      await quiet()
      const next = this.#timers.at(-1)
      if (!next || next.at > end) break
      this.#timers.pop()
      this.now = Math.max(this.now, next.at)
      next.run()
    }
    this.now = Math.max(this.now, end)
  }

  /** Nobody who may still decide goes by less than a writer was answered for. */
  check(when: string): void {
    for (const host of this.hosts) host.check(when)
  }
}

const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class Host {
  readonly name: string
  readonly world: SharedWorld
  readonly clock: Clock
  /** In force here. */
  policy = 0
  frozenUntil = 0
  cut = false
  shared: Shared | undefined
  enforcers: Enforcers | undefined
  readonly clients: Client[] = []
  life = new AbortController()
  #starts = 0
  #reload: () => Promise<void> = async () => {}

  constructor(world: SharedWorld, name: string) {
    this.world = world
    this.name = name
    this.clock = world.clock(1 + (world.unit() - 0.5) / 20.5, () => this.frozenUntil)
    world.hosts.push(this)
    for (let count = 0; count < 2; count++) this.clients.push(new Client(this))
  }

  /** Its system-config, anew: what it knew is forgotten, and its enforcers keep their leases. */
  start(): void {
    this.life.abort()
    this.life = new AbortController()
    const { world, clock, life } = this
    this.policy = 0
    const store = this.#store(life.signal)
    const enforcers: Enforcers = this.enforcers = createEnforcers({
      clock, random: world.random.fork(`${this.name} ${this.#starts++}`), revoked: () => [], leasesBefore: true,
      mayGrant: () => shared.mayGrant(), changedAtMs: () => shared.changedAtMs(),
    })
    const read = async (): Promise<void> => {
      const entry = await store.get(POLICY)
      this.policy = entry?.modRevision ?? 0
      enforcers.publish({ rbac: { model: '', policy: String(this.policy) } })
    }
    // One reading after the other, as `policyReader` does it
    let reading: Promise<void> = Promise.resolve()
    const reload = this.#reload = () => {
      const next = reading.then(read)
      reading = next.catch(() => {})
      return next
    }
    const shared: Shared = this.shared = createShared({
      start: {
        store, clock, stopping: life.signal, log: { info() {}, warn() {}, error() {} },
        self: { zone: 'z', host: this.name, actor: 'system-config', runtimeType: '', incarnation: 1, linkKid: '' },
      },
      isActive: () => true, apply: reload, applyAll: reload, settled: () => enforcers.settled(),
    })
    void shared.run()
  }

  /** As `transact` does it. Undefined: it failed, or this host ended meanwhile. */
  async write(): Promise<number | undefined> {
    const { shared, enforcers, life, clock } = this
    if (!shared || !enforcers) return undefined
    const store = this.#store(life.signal)
    const reload = this.#reload
    try {
      const result = await store.transact([], [
        { type: 'put', key: POLICY, value: new Uint8Array(1) }, newsOperation({ rbac: true }),
      ])
      const began = clock.monotonic()
      const others = shared.acknowledged(result.revision, began)
      await reload()
      await Promise.all([enforcers.settled(), others])
      if (life.signal.aborted) return undefined
      this.world.answered = Math.max(this.world.answered, result.revision)
      this.world.check(`${this.name} was answered for ${result.revision}`)
      return clock.monotonic() - began
    } catch (error) {
      if (error instanceof Unavailable) return undefined
      throw error
    }
  }

  check(when: string): void {
    const { world } = this
    for (const client of this.clients) client.check(when)
    // It runs nothing while it stands still
    if (!this.shared || this.frozenUntil > world.now || this.life.signal.aborted) return
    const fresh = this.shared.fresh()
    if (fresh === true && this.policy < world.answered) {
      world.broken.push(`${this.name} decides by ${this.policy}, and ${world.answered} was answered for: ${when}`)
    } else if (fresh !== true) fresh.catch(() => {})
  }

  /** The store, as this host reaches it: nothing of it is here at once. */
  #store(signal: AbortSignal): Store {
    const { world } = this
    const way = async (): Promise<void> => {
      await world.pause(world.below(10) === 0 ? world.below(800) : world.below(8))
      while (this.frozenUntil > world.now) await world.pause(this.frozenUntil - world.now)
      if (signal.aborted) await new Promise(() => {})
      if (!this.cut) return
      await world.pause(limits.storeCallMs)
      throw new Unavailable('Cut off')
    }
    const remote = <T extends object>(target: T): T => new Proxy(target, {
      get: (of, name) => {
        const value = Reflect.get(of, name) as unknown
        if (name === 'peek') return undefined
        if (name === 'watch') return (prefix: string, options: Parameters<Store['watch']>[1]) => watch(prefix, options)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          await way()
          const result: unknown = await Reflect.apply(value, of, args)
          await way()
          return name === 'grant' ? remote(result as object) : result
        }
      },
    })
    const watch = async function* (prefix: string, options: Parameters<Store['watch']>[1]): AsyncIterable<Event> {
      await way()
      for await (const event of world.store.watch(prefix, options)) {
        await way()
        yield event
      }
    }
    return remote(world.store)
  }
}

/** An enforcer of a host: on the same machine, with messages between that take their time. */
class Client {
  readonly #host: Host
  readonly #clock: Clock
  #endsMs = 0
  policy = 0
  /** It reads slowly. */
  readonly lagMs: number

  constructor(host: Host) {
    this.#host = host
    this.#clock = host.world.clock(1 + (host.world.unit() - 0.5) / 20.5, () => host.frozenUntil)
    this.lagMs = host.world.below(4) === 0 ? host.world.below(4_000) : 0
    void this.#live()
  }

  check(when: string): void {
    const { world } = this.#host
    if (this.policy >= world.answered || this.#clock.monotonic() >= this.#endsMs) return
    world.broken.push(`an enforcer of ${this.#host.name} goes by ${this.policy}, and ${world.answered} was answered `
      + `for: ${when}`)
  }

  #hold(askedMs: number, when: string): void {
    this.#endsMs = Math.max(this.#endsMs, askedMs + limits.enforcerLeaseMs)
    this.check(when)
  }

  async #way(): Promise<void> {
    const { world, frozenUntil } = this.#host
    await world.pause(world.below(20))
    if (frozenUntil > world.now) await world.pause(frozenUntil - world.now)
  }

  async #live(): Promise<void> {
    const { world } = this.#host
    for (let held = '';;) {
      await world.pause(limits.convergeRetryMs)
      if (this.#host.life.signal.aborted || !this.#host.enforcers) continue
      const { enforcers, life } = this.#host
      const askedMs = this.#clock.monotonic()
      await this.#way()
      try {
        const feed = enforcers.open('kid', held)
        let known = { lease: '', sequence: -1 }
        let told = -1
        for (let renewAt = 0; !life.signal.aborted;) {
          const item = feed.poll()
          if (item === ENDED) break
          if (item !== PENDING) {
            await this.#way()
            if (this.lagMs > 0 && known.lease !== '') await world.pause(world.below(this.lagMs))
            this.policy = Number(item.rbac?.policy || this.policy)
            if (known.lease === '') this.#hold(askedMs, 'by its first message')
            known = { lease: item.lease, sequence: item.sequence }
            held = item.lease
            continue
          }
          if (known.sequence !== told || world.now >= renewAt) {
            const renewedMs = this.#clock.monotonic()
            const asked = { ...known }
            await this.#way()
            const granted = enforcers.renew(asked.lease, asked.sequence, 'kid')
            await this.#way()
            told = asked.sequence
            renewAt = world.now + limits.enforcerRenewMs
            if (granted) this.#hold(renewedMs, 'by a renewal')
            else if (told === known.sequence) break
          }
          await world.pause(50)
        }
        feed.close()
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
      }
    }
  }
}
