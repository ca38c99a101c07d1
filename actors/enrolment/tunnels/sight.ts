import type { ActorStart } from '../../../runtime/actor.ts'
import { DeadlineExceeded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { pause, within } from '../../../runtime/within.ts'

/** Whether this host sees its zone: whom it would let in it cannot tell otherwise, nor who is revoked. */
export interface Sight {
  /** It has had no answer for `limits.tunnelBlindMs`. */
  readonly blind: boolean
  /** Asks until the actor ends; `onBlind` runs each time that there was no answer for so long. */
  run(onBlind: () => void): Promise<void>
}

/** @param ask what only the zone's store can answer */
export function createSight(
  { clock, stopping, log }: Pick<ActorStart, 'clock' | 'stopping' | 'log'>, ask: () => Promise<unknown>,
): Sight {
  let answeredMs = clock.monotonic()
  let asking = false
  let told = false
  const isBlind = (): boolean => clock.monotonic() - answeredMs >= limits.tunnelBlindMs
  const askOnce = (): void => {
    if (asking) return
    asking = true
    const atMs = clock.monotonic()
    // Whatever keeps it from asking, as a session that has ended, is no answer and no end of this actor
    const asked = async (): Promise<unknown> => ask()
    within(clock, limits.tunnelBlindMs, asked(), () => new DeadlineExceeded('The zone does not answer'))
      .then(() => { answeredMs = atMs }, () => {}).finally(() => { asking = false })
  }
  return {
    get blind() { return isBlind() },
    async run(onBlind) {
      while (!stopping.aborted) {
        askOnce()
        if (isBlind()) {
          if (!told) log.warn('The zone has not answered for too long: other hosts are to go elsewhere')
          onBlind()
        }
        told = isBlind()
        await pause(clock, limits.tunnelSightMs, stopping)
      }
    },
  }
}
