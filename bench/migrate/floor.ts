import process from 'node:process'

const SAMPLE_MS = 10
const WINDOW = 40

/**
 * How much memory lives: the least that is used within some hundred milliseconds, in which garbage is collected, since
 * nobody can ask for that on every runtime.
 */
export class Floor {
  readonly #before = used()
  #window: number[] = []
  #highest = 0
  readonly #timer = setInterval(() => {
    this.#window.push(used())
    if (this.#window.length < WINDOW) return
    this.#highest = Math.max(this.#highest, Math.min(...this.#window))
    this.#window = []
  }, SAMPLE_MS)

  /** @returns megabytes beside what was used at first */
  end(): number {
    clearInterval(this.#timer)
    return Math.max(0, this.#highest - this.#before) / 1024 / 1024
  }
}

function used(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
