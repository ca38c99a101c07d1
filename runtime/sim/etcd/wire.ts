import { ZonewrightError } from '../../errors.ts'
import { delays } from '../delays.ts'
import type { Range, SeededRandom } from '../random.ts'
import type { Lane, Schedule } from '../schedule.ts'
import type { SimulatedThread } from '../thread.ts'

/** Microseconds between two attempts of a client to reach a server that is away. */
const AGAIN_US = 50_000

export type Outcome<T> =
  | { readonly type: 'answer'; readonly value: T }
  | { readonly type: 'error'; readonly error: Error }
  /** The server never got it. */
  | { readonly type: 'refused' }
  /** The connection broke: whether the server got it is not known. */
  | { readonly type: 'cut' }

export interface Question<T> {
  readonly from: SimulatedThread
  /** Of the answers; what is on one lane stays in order. */
  readonly lane: Lane
  readonly kind: string
  readonly payload: string
  /** A write: it takes longer. */
  readonly durable: boolean
  /** Runs at the server, once at most. */
  readonly act: () => T
  /**
   * Runs in the thread that asks. The first time counts: an answer may come after the connection broke. Not at all when
   * the question or its answer got lost silently.
   */
  readonly told: (outcome: Outcome<T>) => void
}

/** Between the threads and the server: delays, and what is lost when the server cannot be reached or has no leader. */
export class Wire {
  readonly schedule: Schedule
  readonly #server: SimulatedThread
  readonly #random: SeededRandom
  readonly #revision: () => number
  #factor = 1
  /** Grows when an outage or an election begins: what was sent before and arrives after was under way. */
  #disturbances = 0
  /** Names of hosts that do not reach the server, nor it them. */
  readonly #cutOff = new Set<string>()
  #awayUntilUs = 0
  #electingUntilUs = 0

  /** @param revision the server's, for the trace */
  constructor(schedule: Schedule, server: SimulatedThread, random: SeededRandom, revision: () => number) {
    this.schedule = schedule
    this.#server = server
    this.#random = random
    this.#revision = revision
  }

  set factor(factor: number) {
    this.#factor = factor
  }

  /** Milliseconds until another attempt can be of use; a client has no better way than to try at intervals. */
  get againMs(): number {
    const leftUs = Math.max(1, this.#awayUntilUs - this.schedule.nowUs)
    return Math.ceil(leftUs / AGAIN_US) * AGAIN_US / 1_000
  }

  /** What a host says, and what is said to it, is lost from now on; or not any more. */
  setCutOff(host: string, cutOff: boolean): void {
    if (cutOff) this.#cutOff.add(host)
    else this.#cutOff.delete(host)
  }

  isCutOff(thread: SimulatedThread): boolean {
    return this.#cutOff.has(thread.on?.name ?? '')
  }

  goAway(forMs: number): void {
    this.#disturbances++
    this.#awayUntilUs = Math.max(this.#awayUntilUs, this.schedule.nowUs + Math.round(forMs * 1_000))
  }

  /** `onLeader` runs when there is one again, after the last election that overlaps. */
  elect(onLeader: () => void): void {
    this.#disturbances++
    const delayUs = this.#random.within(delays.etcdElection)
    this.#electingUntilUs = Math.max(this.#electingUntilUs, this.schedule.nowUs + delayUs)
    this.#atServer('etcd-leader', delayUs, () => {
      if (!this.#electing) onLeader()
    })
  }

  /** Nothing happens when the thread that asks has ended; when it ends later, only the answer does not. */
  ask<T>(question: Question<T>): void {
    const { from, lane, kind, payload, durable } = question
    if (!from.alive || this.isCutOff(from)) return
    const sent = this.#disturbances
    const delayUs = this.#drawn(delays.etcd) + (durable ? this.#drawn(delays.etcdCommit) : 0)
    this.schedule.after({
      to: this.#server, lane, delayUs, kind: `etcd-${kind}`, from: from.name, payload,
      task: () => this.#arrive(question, sent),
    })
  }

  /** Something that the server says by itself. */
  deliver(to: SimulatedThread, lane: Lane, kind: string, payload: string, task: () => void, extraUs = 0): void {
    const delayUs = this.#drawn(delays.etcd) + extraUs
    this.schedule.inOrder({ to, lane, delayUs, kind, from: this.#server.name, payload, task })
  }

  /** Of a fault: true as often as not. */
  draw(): boolean {
    return this.#random.within([0, 1]) === 1
  }

  get #away(): boolean {
    return this.schedule.nowUs < this.#awayUntilUs
  }

  get #electing(): boolean {
    return this.schedule.nowUs < this.#electingUntilUs
  }

  #arrive<T>(question: Question<T>, sent: number): void {
    if (sent !== this.#disturbances) this.#wasUnderWay(question)
    else if (this.#away) this.#tell(question, { type: 'refused' })
    else if (this.#electing) this.#hold(question)
    else this.#tell(question, this.#outcomeOf(question))
  }

  /** It may be lost, be done unheard, or lie somewhere until the server is back, when who asked may have given up. */
  #wasUnderWay<T>(question: Question<T>): void {
    const fate = this.#random.within([0, 2])
    if (fate === 1) this.#outcomeOf(question)
    if (fate === 2) this.#hold(question)
    if (this.draw()) this.#tell(question, { type: 'cut' })
  }

  #hold<T>(question: Question<T>): void {
    const sent = this.#disturbances
    const backUs = Math.max(this.#awayUntilUs, this.#electingUntilUs)
    const delayUs = Math.max(0, backUs - this.schedule.nowUs)
    this.#atServer('etcd-held', delayUs, () => this.#arrive(question, sent))
  }

  #outcomeOf<T>({ act }: Question<T>): Outcome<T> {
    try {
      return { type: 'answer', value: act() }
    } catch (error) {
      if (!(error instanceof ZonewrightError)) throw error
      return { type: 'error', error }
    }
  }

  #tell<T>({ from, lane, told }: Question<T>, outcome: Outcome<T>): void {
    if (this.isCutOff(from)) return
    const sent = this.#disturbances
    const isAnswer = outcome.type === 'answer' || outcome.type === 'error'
    const payload = outcome.type === 'error' ? outcome.error.name : String(this.#revision())
    this.deliver(from, lane, `etcd-${outcome.type}`, payload, () => {
      const fate = isAnswer && sent !== this.#disturbances ? this.#random.within([0, 2]) : 0
      if (fate === 0) told(outcome)
      else if (fate === 1) told({ type: 'cut' })
    })
  }

  #atServer(kind: string, delayUs: number, task: () => void): void {
    const { lane } = this.#server
    this.schedule.after({ to: this.#server, lane, delayUs, kind, from: '-', task })
  }

  #drawn(range: Range): number {
    return Math.round(this.#random.within(range) * this.#factor)
  }
}
