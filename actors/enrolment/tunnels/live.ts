import type { ActorStart } from '../../../runtime/actor.ts'
import { Denied } from '../../../runtime/errors.ts'
import type { StreamRequest } from '../../../transport/tunnel/protocol.ts'
import type { Admission, Admitted } from './admission.ts'

interface One {
  readonly by: () => Admitted
  readonly request: StreamRequest
  readonly close: (reason: string) => void
}

/** Streams that are open: each was judged when it opened, and is judged again for as long as it lasts. */
export interface LiveStreams {
  /** @returns what takes it out again */
  add(by: () => Admitted, request: StreamRequest, close: (reason: string) => void): () => void
  /** Closes what may not be open any more. */
  recheck(): Promise<void>
}

export function createLive(
  { log, count }: Pick<ActorStart, 'log' | 'count'>, { authorise }: Pick<Admission, 'authorise'>,
): LiveStreams {
  const live = new Set<One>()
  return {
    add(by, request, close) {
      const one: One = { by, request, close }
      live.add(one)
      return () => void live.delete(one)
    },
    async recheck() {
      // One judgement for all streams of a host to a service
      const judged = new Map<string, Promise<Error | undefined>>()
      await Promise.all([...live].map(async (one) => {
        const { by, request } = one
        const name = request.type === 'http' ? `${by().host.name} ${request.service}`
          : `${by().host.name} ${request.protocol} ${request.caller.host}`
        if (!judged.has(name)) {
          judged.set(name, authorise(by(), request).then(() => undefined, (error: Error) => error))
        }
        const error = await judged.get(name)
        // What cannot be asked now is asked again
        if (!(error instanceof Denied) || !live.has(one)) return
        log.warn(`A stream of ${name} is closed: ${error.message}`)
        count('tunnel_streams_cut_total')
        one.close(error.message)
      }))
    },
  }
}
