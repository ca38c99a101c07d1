import { limits } from '../limits.ts'
import type { Cancel } from '../platform/ports.ts'
import { divided } from '../platform/process-output.ts'
import type { SpawnedProcess } from '../platform/process-ports.ts'
import type { Range, SeededRandom } from './random.ts'
import { createLane, type Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

export type StreamName = 'stdout' | 'stderr'
type OnLine = Parameters<SpawnedProcess['onLine']>[0]
type OnDropped = Parameters<SpawnedProcess['onDropped']>[0]

const PIPE_US: Range = [20, 400]
const WINDOW_MS = 1_000
const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() }

/**
 * The two pipes from a process and all that it forks to the one that started it. What one turn prints arrives as one
 * event; the streams have an order each, and none between them or with the exit. What is beyond
 * `limits.processLines` a second is dropped, but nobody waits as it writes: `limits.processOutputBytes` bounds nothing
 * here.
 */
export class ProgramOutput {
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #to: SimulatedThread
  readonly #from: string
  readonly #lanes
  /** Whoever starts a process listens before anything of it can arrive. */
  #onLine: OnLine = () => {}
  #onDropped: OnDropped = () => {}
  #lines = 0
  #dropped = 0
  #window: Cancel | undefined

  constructor(schedule: Schedule, random: SeededRandom, to: SimulatedThread, from: string) {
    this.#schedule = schedule
    this.#random = random
    this.#to = to
    this.#from = from
    this.#lanes = { stdout: createLane(random), stderr: createLane(random) }
  }

  readonly onLine = (listener: OnLine): void => {
    this.#onLine = listener
  }

  readonly onDropped = (listener: OnDropped): void => {
    this.#onDropped = listener
  }

  send(stream: StreamName, lines: readonly string[]): void {
    this.#schedule.inOrder({
      to: this.#to, lane: this.#lanes[stream], delayUs: this.#random.within(PIPE_US), kind: stream, from: this.#from,
      payload: lines.join('\n'), task: () => this.#arrived(stream, lines),
    })
  }

  #arrived(stream: StreamName, lines: readonly string[]): void {
    this.#window ??= this.#schedule.after({
      to: this.#to, lane: this.#to.lane, delayUs: WINDOW_MS * 1_000, kind: 'timer', from: 'output', task: this.#next,
    })
    for (const line of lines) {
      const rest = divided(new Uint8Array(), utf8.encode.encode(line), (part) => this.#give(stream, part))
      this.#give(stream, rest)
    }
  }

  #give(stream: StreamName, bytes: Uint8Array): void {
    if (this.#lines >= limits.processLines) return void this.#dropped++
    this.#lines++
    this.#onLine(stream, utf8.decode.decode(bytes))
  }

  readonly #next = (): void => {
    const dropped = this.#dropped
    this.#window = undefined
    this.#lines = this.#dropped = 0
    if (dropped > 0) this.#onDropped(dropped)
  }
}
