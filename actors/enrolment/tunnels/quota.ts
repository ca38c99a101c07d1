import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'

/** Streams that one host has to actors of this zone, so that it leaves places for others. */
export interface Quota {
  /** Of a caller of that host. @throws Overloaded; else what gives its place back, once */
  take(host: string): Place
}

export interface Place {
  /** It waits no more. */
  open(): void
  leave(): void
}

export function createQuota(): Quota {
  const all = new Map<string, { waiting: number; open: number }>()
  return {
    take(host) {
      const held = all.get(host) ?? { waiting: 0, open: 0 }
      if (held.waiting >= limits.tunnelHostWaiting) {
        throw new Overloaded(`Too many streams of ${host} wait to be accepted: ${held.waiting}`)
      }
      if (held.waiting + held.open >= limits.tunnelHostStreams) {
        throw new Overloaded(`Too many streams of ${host}: ${held.waiting + held.open}`)
      }
      all.set(host, held)
      held.waiting++
      let state: 'waiting' | 'open' | 'over' = 'waiting'
      return {
        open() {
          if (state !== 'waiting') return
          state = 'open'
          held.waiting--
          held.open++
        },
        leave() {
          if (state === 'over') return
          if (state === 'waiting') held.waiting--
          else held.open--
          state = 'over'
          if (held.waiting + held.open === 0) all.delete(host)
        },
      }
    },
  }
}
