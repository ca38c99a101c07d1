/** The same on both sides: 10,000 keys of 31 bytes below a folder that a device may write, values of 200 bytes. */
export const KEYS = 10_000
export const FOLDER = 'services/bench/instances'
export const keyOf = (index: number): string => `${FOLDER}/k${String(index % KEYS).padStart(5, '0')}`

const WIDTH = 200
/** Every value is another, and a number can be read from it. */
export const valueOf = (number: number): string => String(number).padStart(WIDTH, '0')
export const numberIn = (value: string): number => Number(value.slice(-15))

export const fanFolder = (links: number): string => `services/fan${links}/instances`
const FAN_KEYS = 100
export const fanKey = (folder: string, number: number): string => `${folder}/k${number % FAN_KEYS}`

/** Far from the order of the keys, and the same in every run. */
export const scattered = (number: number): number => (number * 7_919) % KEYS

/** One watcher's view: every number once, in order. @throws when one is missing, comes twice or too early */
export class InOrder {
  seen = 0
  #wake: (() => void) | undefined
  #wanted = 0

  take(value: string): void {
    const number = numberIn(value)
    if (number !== this.seen) throw new Error(`A watcher saw write ${number} where ${this.seen} was due`)
    this.seen++
    if (this.seen === this.#wanted) this.#wake?.()
  }

  /** Until it has seen so many. */
  until(count: number): Promise<void> {
    if (this.seen >= count) return Promise.resolve()
    this.#wanted = count
    return new Promise((resolve) => { this.#wake = resolve })
  }
}
