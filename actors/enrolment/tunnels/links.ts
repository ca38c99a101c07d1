import type { ActorStart } from '../../../runtime/actor.ts'
import type { AcceptedStream } from '../../../transport/tunnel/protocol.ts'
import type { Admission, Admitted, LinkWanted } from './admission.ts'
import { createLive } from './live.ts'
import { createQuota } from './quota.ts'
import type { Ways } from './ways.ts'

/** Links of other hosts, each among those that its caller's host may have, and judged for as long as it lasts. */
export interface Links {
  /** @throws what `Ways.lead` does, Overloaded */
  open(by: () => Admitted, request: LinkWanted, signal: AbortSignal): Promise<AcceptedStream>
  /** Closes what may not be open any more. */
  recheck(): Promise<void>
}

export function createLinks({ start, admission, ways }: {
  readonly start: Pick<ActorStart, 'log' | 'count'>
  readonly admission: Pick<Admission, 'authorise'>
  readonly ways: Pick<Ways, 'lead'>
}): Links {
  const quota = createQuota()
  const live = createLive(start, admission)
  return {
    async open(by, request, signal) {
      const { host } = by()
      // Another OOD speaks for whom it likes: what it takes is none of theirs
      const caller = host.role === 'ood' ? `${request.caller.host} by ${host.name}` : request.caller.host
      const place = quota.take(caller)
      try {
        const accepted = await ways.lead(request, host, signal)
        place.open()
        const forget = live.add(by, request, (reason) => accepted.channel.close(reason))
        return {
          ...accepted,
          release() {
            forget()
            place.leave()
            accepted.release()
          },
        }
      } catch (error) {
        place.leave()
        throw error
      }
    },
    recheck: live.recheck,
  }
}
