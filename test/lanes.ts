/** Runs jobs beside each other: at least two, and more while a processor has nothing to do, since many only wait. */
import { availableParallelism, cpus } from 'node:os'

const least = 2
/** Beyond that those that wait would be late at what they wait for. */
const most = Math.max(least, 2 * availableParallelism())
/** Of all processors' time since the last look; a job that has just begun is seen by the next one. */
const idleShare = 0.3
const lookMs = 700

interface Spent {
  readonly idle: number
  readonly all: number
}

const spent = (): Spent => {
  const times = cpus().map(cpu => cpu.times)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap(each => Object.values(each))) }
}

/** In their order. @returns when all have ended */
export const runAll = <T>(jobs: readonly T[], run: (job: T) => Promise<void>): Promise<void> =>
  new Promise((resolve, reject) => {
    const waiting = [...jobs]
    let running = 0
    let before = spent()
    const next = (): void => {
      const job = waiting.shift()
      if (job === undefined) return running === 0 ? end() : undefined
      running++
      run(job).then(ended, fail)
    }
    const ended = (): void => {
      running--
      if (running < least) next()
    }
    const look = setInterval(() => {
      const now = spent()
      // Where the system does not say (Deno), nothing seems idle
      const isIdle = now.idle - before.idle > (now.all - before.all) * idleShare
      before = now
      if (isIdle && running < most && waiting.length > 0) next()
    }, lookMs)
    const end = (): void => {
      clearInterval(look)
      resolve()
    }
    const fail = (error: unknown): void => {
      clearInterval(look)
      waiting.length = 0
      reject(error)
    }
    for (let lane = 0; lane < least; lane++) next()
  })
