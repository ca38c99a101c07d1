import { Overloaded } from '../../runtime/errors.ts'

/** Runs work in order of arrival, so much of it at a time. */
export interface Turns {
  /** @throws Overloaded when too many wait already, and what the work throws */
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createTurns(options: { readonly running: number; readonly waiting: number }): Turns {
  let running = 0
  const waiting: (() => void)[] = []
  return {
    async run(work) {
      if (running >= options.running) {
        if (waiting.length >= options.waiting) throw new Overloaded(`Too many wait already: ${waiting.length}`)
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else running++
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        // Its place goes to the next
        if (next) next()
        else running--
      }
    },
  }
}
