import { defineError } from '../errors.ts'
import type { CrashPoint, FaultPoint, Sighting, Simulator } from '../fault-points.ts'
import type { Schedule } from './schedule.ts'

/** Decides at each fault point that is passed; `at` is the name of the thread. */
export interface Points {
  strikes(point: FaultPoint, at: string): boolean
  crashes(point: CrashPoint, at: string): boolean
  saw(sighting: Sighting, at: string): void
}

/** Thrown where a thread has ended, so that what follows does not run. Nobody is there to catch it. */
const Crashed = defineError('Crashed')

export function pointsOf(schedule: Schedule, points: Points): Simulator {
  /** An end of a channel is its thread's. */
  const at = (): string => schedule.current?.name.split('#')[0] ?? ''
  return {
    strikes(point) {
      const where = at()
      const struck = points.strikes(point, where)
      if (struck) schedule.note(`${schedule.nowUs} point ${point} ${where}`)
      return struck
    },
    crash(point) {
      const { current } = schedule
      if (!current?.alive || !points.crashes(point, at())) return
      schedule.note(`${schedule.nowUs} crash ${point} ${at()}`)
      current.crash(`ended at ${point}`)
      throw new Crashed(`The thread ended at ${point}`)
    },
    saw: (sighting) => points.saw(sighting, at()),
  }
}
