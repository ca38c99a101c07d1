import type { Log } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { urgencyOf, type Authority, type Urgency } from './due.ts'
import type { Survey } from './inventory.ts'

/** Milliseconds of life below which a certificate is renewed so often that a third of it is no news. */
const SHORT_MS = 7 * 86_400_000

/** Says what ends before long: each once for each degree of urgency. */
export function createWarnings(log: Pick<Log, 'warn' | 'error'>) {
  let said = new Map<string, Urgency>()
  return {
    tell(now: number, authorities: ReadonlyMap<string, readonly Authority[]>, surveys: readonly Survey[]): void {
      const next = new Map<string, Urgency>()
      const say = (key: string, urgency: Urgency, message: string, fields: Record<string, string | number>): void => {
        next.set(key, urgency)
        if (urgency === 'good' || said.get(key) === urgency || next.size > limits.certificatesTold) return
        if (urgency === 'due') log.warn(message, fields)
        else log.error(message, fields)
      }
      for (const [mount, list] of authorities) {
        for (const { id, kind, notBefore, notAfter } of list) {
          // One that another has followed may end
          if (list.findLast((each) => each.kind === kind && each.state === 'active')?.id !== id) continue
          const urgency = urgencyOf({ notBefore, notAfter }, now)
          say(id, urgency, 'An authority has not been replaced, and ends', {
            mount, kind, id, hoursLeft: Math.floor((notAfter - now) / 3_600_000),
          })
        }
      }
      for (const { mount, expiring } of surveys) {
        for (const { urgency, record: { serial, role, subject, notBefore, notAfter } } of expiring) {
          if (urgency === 'due' && notAfter - notBefore < SHORT_MS) continue
          say(serial, urgency, 'A certificate has not been renewed, and ends', {
            mount, role, serial, subject, hoursLeft: Math.floor((notAfter - now) / 3_600_000),
          })
        }
      }
      said = next
    },
  }
}
