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

/** For work that serves all who asked for it before it began: of those who ask while it runs, one runs it again. */
export interface SharedTurns {
  /** Settles when work that began after this was called has ended. @throws what that work throws */
  run(name: string, work: () => Promise<void>): Promise<void>
}

export function createSharedTurns(): SharedTurns {
  const running = new Map<string, Promise<void>>()
  const next = new Map<string, Promise<void>>()
  return {
    run(name, work) {
      const waiting = next.get(name)
      if (waiting) return waiting
      const turn = (running.get(name) ?? Promise.resolve()).catch(() => {}).then(() => {
        next.delete(name)
        running.set(name, turn)
        return work()
      }).finally(() => {
        if (running.get(name) === turn) running.delete(name)
      })
      next.set(name, turn)
      return turn
    },
  }
}
