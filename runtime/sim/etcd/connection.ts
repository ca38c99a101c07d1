import { Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Cancel, Clock } from '../../platform/ports.ts'
import type { SeededRandom } from '../random.ts'
import { createLane } from '../schedule.ts'
import { clockOf } from '../host-clock.ts'
import { type SimulatedThread } from '../thread.ts'
import type { Outcome, Question, Wire } from './wire.ts'

type Asked<T> = Pick<Question<T>, 'kind' | 'payload' | 'act'>
type Failed = Outcome<never> & { readonly type: 'refused' | 'cut' }

/** How one store of one thread reaches etcd. Once its thread has ended, no call of it settles. */
export class Connection {
  readonly clock: Clock
  readonly thread: SimulatedThread
  readonly wire: Wire
  readonly #random: SeededRandom
  #closed: Error | undefined
  /** Ends what waits when it is closed. */
  readonly #waiting = new Set<() => void>()

  constructor(wire: Wire, thread: SimulatedThread, random: SeededRandom) {
    this.wire = wire
    this.thread = thread
    this.clock = clockOf(wire.schedule, thread)
    this.#random = random
  }

  /** @throws Unavailable */
  read<T>(kind: string, payload: string, act: () => T): Promise<T> {
    return this.#call({ kind, payload, act }, { durable: false, repeatable: true })
  }

  /**
   * Done again without an answer only when it is `repeatable`, or the server never got it.
   * @throws Unavailable when whether it was done is not known
   */
  write<T>(kind: string, payload: string, act: () => T, { repeatable }: { repeatable: boolean }): Promise<T> {
    return this.#call({ kind, payload, act }, { durable: true, repeatable })
  }

  assertOpen(): void {
    if (this.#closed) throw this.#closed
  }

  /** @returns what every call fails with from now on. What the server got still happens */
  close(): Error {
    this.#closed ??= new Unavailable('The store is closed')
    for (const end of [...this.#waiting]) end()
    return this.#closed
  }

  async #call<T>(asked: Asked<T>, { durable, repeatable }: { durable: boolean; repeatable: boolean }): Promise<T> {
    const end = this.clock.monotonic() + limits.storeCallMs
    const left = (): number => end - this.clock.monotonic()
    for (;;) {
      this.assertOpen()
      const outcome = await this.#attempt(asked, durable, left())
      if (outcome.type === 'answer') return outcome.value
      if (outcome.type === 'error') throw outcome.error
      this.assertOpen()
      if (repeatable || outcome.type === 'refused') await this.#pause(Math.min(left(), this.wire.againMs))
      else break
      if (left() <= 0) break
    }
    this.assertOpen()
    throw new Unavailable(`etcd did not answer: ${asked.kind}`)
  }

  #attempt<T>(asked: Asked<T>, durable: boolean, withinMs: number): Promise<Outcome<T>> {
    return this.#settled<Outcome<T>>({ type: 'cut' } satisfies Failed, (settle) => {
      const lane = createLane(this.#random)
      this.wire.ask({ ...asked, from: this.thread, lane, durable, told: settle })
      return this.clock.after(withinMs, () => settle({ type: 'cut' }))
    })
  }

  #pause(ms: number): Promise<void> {
    return this.#settled<void>(undefined, (settle) => this.clock.after(ms, () => settle()))
  }

  /** With what `begin` settles, or with `closed` when the store is. */
  #settled<T>(closed: T, begin: (settle: (value: T) => void) => Cancel): Promise<T> {
    return new Promise<T>((resolve) => {
      const settle = (value: T): void => {
        cancel()
        this.#waiting.delete(end)
        resolve(value)
      }
      const end = (): void => settle(closed)
      this.#waiting.add(end)
      const cancel = begin(settle)
    })
  }
}
