import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const EVERY_MS = 100
const SETTLE_MS = 1_000

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

/** How much memory lives: the most that is used after any of the collections that are made meanwhile. */
export class Live {
  readonly #before: number
  #highest = 0
  readonly #timer = setInterval(() => { this.#highest = Math.max(this.#highest, used()) }, EVERY_MS)

  private constructor(before: number) {
    this.#before = before
  }

  static async begin(): Promise<Live> {
    // What buffers hold is given back some time after they were collected
    for (let times = 0; times < 2; times++) {
      used()
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    }
    return new Live(used())
  }

  /** @returns megabytes beside what was used at first */
  end(): number {
    clearInterval(this.#timer)
    return Math.max(0, this.#highest - this.#before) / 1024 / 1024
  }
}

function used(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
