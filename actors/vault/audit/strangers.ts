import { limits } from '../../../runtime/limits.ts'
import type { Clock } from '../../../runtime/platform/ports.ts'
import type { Audit } from './audit.ts'
import type { AuditEntry } from './record.ts'

/**
 * Records what anybody may try who was not let in: so many in a window of time. Those beyond are counted, and the next
 * record says how many they were, so that nobody fills the audit's disk from outside.
 */
export function createStrangers(
  audit: Pick<Audit, 'record'>, clock: Pick<Clock, 'monotonic'>,
): (entry: AuditEntry) => Promise<void> {
  let [startMs, count, left] = [-Infinity, 0, 0]
  return async (entry) => {
    const now = clock.monotonic()
    if (now - startMs >= limits.auditStrangersMs) [startMs, count] = [now, 0]
    if (count >= limits.auditStrangers) return void left++
    count++
    const unrecorded = left
    left = 0
    await audit.record(unrecorded === 0 ? entry : { ...entry, about: { ...entry.about, unrecorded } })
  }
}
