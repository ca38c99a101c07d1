import { delays } from './delays.ts'
import type { Range, SeededRandom } from './random.ts'

/** How it stands between two hosts, in one direction. */
export interface Wire {
  /** Microseconds. */
  readonly delay: Range
  /** How many of a million frames are lost, arrive twice, late behind others, or with a byte changed. */
  readonly lostPpm: number
  readonly twicePpm: number
  readonly latePpm: number
  readonly changedPpm: number
  /** `hold`: what is sent waits until it is open again, as a stream that sends anew; `drop`: it is gone. */
  readonly cut: 'open' | 'hold' | 'drop'
}

export const goodWire: Wire = { delay: delays.network, lostPpm: 0, twicePpm: 0, latePpm: 0, changedPpm: 0, cut: 'open' }

const MILLION = 1_000_000
/** How much later than the others one that is late arrives at most. */
const LATE_US: Range = [1_000, 200_000]

/** What becomes of one frame: after how many microseconds each copy arrives, and whether in the order of sending. */
export interface Fate {
  readonly delaysUs: readonly number[]
  readonly inOrder: boolean
  readonly changed: boolean
}

/** What frames met so far, by what it was. */
export interface WireCounts { lost: number; twice: number; late: number; changed: number; held: number }

/** The network between hosts. A pair of names that nobody has set anything for is well connected. */
export class Wires {
  readonly counts: WireCounts = { lost: 0, twice: 0, late: 0, changed: 0, held: 0 }
  readonly #random: SeededRandom
  readonly #wires = new Map<string, Wire>()
  readonly #held = new Map<string, (() => void)[]>()

  constructor(random: SeededRandom) {
    this.#random = random
  }

  set(from: string, to: string, conditions: Partial<Wire>): void {
    const pair = `${from} ${to}`
    const wire = { ...(this.#wires.get(pair) ?? goodWire), ...conditions }
    this.#wires.set(pair, wire)
    if (wire.cut === 'open') this.#release(pair)
  }

  /** Everybody reaches everybody again. */
  heal(): void {
    this.#wires.clear()
    for (const pair of [...this.#held.keys()]) this.#release(pair)
  }

  /** Runs `send` with what becomes of this frame: now, when the wire is open again, or never. */
  cross(from: string, to: string, send: (fate: Fate) => void): void {
    const pair = `${from} ${to}`
    const wire = this.#wires.get(pair)
    if (!wire) return send(this.#arrives(goodWire))
    if (wire.cut === 'hold') return this.#hold(pair, () => this.cross(from, to, send))
    if (wire.cut === 'drop' || this.#strikes(wire.lostPpm)) {
      this.counts.lost++
      return
    }
    send(this.#arrives(wire))
  }

  /**
   * As `cross`, for a stream that repeats what is lost and sorts what comes: all of that only takes longer.
   * @param again also what a wire drops: it arrives once that is open again, and nothing that follows is before it
   */
  carry(from: string, to: string, send: (delayUs: number) => void, again = false): void {
    const pair = `${from} ${to}`
    const wire = this.#wires.get(pair) ?? goodWire
    if (wire.cut === 'open') return send(this.#slowed(wire))
    if (wire.cut === 'hold' || again) return this.#hold(pair, () => this.carry(from, to, send, again))
    this.counts.lost++
  }

  /**
   * As `carry`, for a stream whose sender repeats by itself what it knows to be lost: false where nothing gets through.
   */
  pass(from: string, to: string, send: (delayUs: number) => void): boolean {
    const pair = `${from} ${to}`
    const wire = this.#wires.get(pair) ?? goodWire
    if (wire.cut === 'drop') {
      this.counts.lost++
      return false
    }
    if (wire.cut === 'hold') this.#hold(pair, () => void this.pass(from, to, send))
    else send(this.#slowed(wire))
    return true
  }

  #slowed({ delay, lostPpm, latePpm, changedPpm }: Wire): number {
    const again = this.#strikes(Math.min(MILLION / 2, lostPpm + latePpm + changedPpm))
    return this.#random.within(delay) + (again ? this.#random.within(LATE_US) : 0)
  }

  #arrives(wire: Wire): Fate {
    const first = this.#random.within(wire.delay)
    if (wire === goodWire) return { delaysUs: [first], inOrder: true, changed: false }
    const [twice, late, changed] = [wire.twicePpm, wire.latePpm, wire.changedPpm].map((ppm) => this.#strikes(ppm))
    if (twice) this.counts.twice++
    if (late) this.counts.late++
    if (changed) this.counts.changed++
    const delaysUs = [late ? first + this.#random.within(LATE_US) : first]
    if (twice) delaysUs.push(first + this.#random.within(wire.delay))
    return { delaysUs, inOrder: !late, changed: changed === true }
  }

  #strikes(ppm: number): boolean {
    return ppm > 0 && this.#random.word() % MILLION < ppm
  }

  #hold(pair: string, send: () => void): void {
    this.counts.held++
    const held = this.#held.get(pair) ?? []
    this.#held.set(pair, held)
    held.push(send)
  }

  #release(pair: string): void {
    const held = this.#held.get(pair) ?? []
    this.#held.delete(pair)
    for (const send of held) send()
  }
}
