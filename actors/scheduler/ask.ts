import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { integer, number, object, optional, pipe, type Client, type Infer } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { readRecord } from '../records.ts'
import { hasExpired, type OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { askedKey, roundKey } from './inputs.ts'
import { NotLeading } from './protocol.ts'

const count = pipe(number(), integer())
/**
 * What a round leaves at its key. `from`: the revision of its last page. `asked`: of the last request for a round that
 * was there before all that it read, so that whoever asked finds in it what was written before.
 */
const Snapshot = object({ from: optional(count), asked: optional(count) })
export type Snapshot = Infer<typeof Snapshot>

/** Others may write the key; what is no snapshot answers nobody. */
export function readSnapshot(text: string | undefined): Snapshot {
  try {
    return text === undefined ? {} : readRecord(Snapshot, roundKey, text)
  } catch {
    return {}
  }
}

interface Ports extends Pick<ActorStart, 'clock' | 'stopping' | 'self'> {
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'set' | 'watch'>
  readonly session: Pick<OwnSession, 'token'>
}

/** A leader that ends meanwhile is followed by another within its lease. */
const withinMs = 2 * limits.leaderLeaseMs

/**
 * Has the leader, wherever it is, do a round that reads what was written until now, and waits until it has: what was
 * asked for lies in the store, so that the next leader answers where this one ends.
 * @throws NotLeading where nobody has answered in time
 */
export async function askLeader(
  { clock, stopping, self, systemConfig, session }: Ports, leader: { readonly host: string },
): Promise<{ readonly revision: number }> {
  const value = JSON.stringify({ host: self.host })
  const { revision } = await systemConfig.set({ key: askedKey, value }, { token: session.token() })
  const life = new AbortController()
  const end = (): void => life.abort()
  stopping.addEventListener('abort', end, { once: true })
  const cancel = clock.after(withinMs, end)
  let why = 'no answer'
  try {
    for (let after = revision; !life.signal.aborted;) {
      try {
        const settings = { token: session.token(), signal: life.signal }
        for await (const event of systemConfig.watch({ prefix: roundKey, after }, settings)) {
          after = event.revision
          if (event.key === roundKey && event.type === 'put' && (readSnapshot(event.value).asked ?? 0) >= revision) {
            return { revision: event.revision }
          }
        }
      } catch (error) {
        if (!life.signal.aborted && !hasExpired(error)) why = messageOf(error)
      }
      await pause(clock, limits.schedulerRetryMs, life.signal)
    }
  } finally {
    cancel()
    stopping.removeEventListener('abort', end)
  }
  const seconds = withinMs / 1_000
  throw new NotLeading(`The scheduler of ${leader.host || 'no host'} leads, and did no round in ${seconds} s: ${why}`, {
    ...leader,
  })
}
