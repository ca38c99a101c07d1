import { RestartLimit } from '../../runtime/errors.ts'
import { evidenceText, GAP, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import type { BootedZone } from './boot-zone.ts'

/** Without one of these there is no control plane. */
const INDISPENSABLE = ['vault', 'system-config', 'verify-hub', 'node-daemon']
/** An actor that failed to start is tried again at once, unless its supervisor has given up. */
const GIVEN_UP_MS = 100

export interface Watch {
  /** Settles when an actor that the zone cannot be without has failed for good. */
  readonly broken: Promise<Error>
  end(): void
}

/** Tells of warnings, and of actors that fail and come back, while a zone serves. */
export function watch({ zone, platform }: BootedZone, terminal: Terminal, style: Style): Watch {
  let ended = false
  const tell = (actor: string, what: string): void => {
    if (!ended) terminal.error(`${style.bold(actor)}: ${what}`)
  }
  const failedForGood = (name: string): boolean =>
    !ended && zone.list().some(({ name: each, state }) => each === name && state === 'failed')
  zone.trace.on('log', ({ level, actor, message, fields }) => {
    if (level !== 'info') tell(actor, [message, evidenceText(fields)].filter((text) => text !== '').join(GAP))
  })
  const broken = new Promise<Error>((settle) => {
    zone.trace.on('actor', ({ actor, state, reason }) => {
      if (state === 'died' || state === 'failed') tell(actor, `${state}: ${reason}`)
      if (state === 'serving') tell(actor, 'serves again')
      if (state !== 'failed' || !INDISPENSABLE.includes(actor)) return
      platform.clock.after(GIVEN_UP_MS, () => {
        if (failedForGood(actor)) settle(new RestartLimit(`The zone cannot be without ${actor}: ${reason}`, { actor }))
      })
    })
  })
  return { broken, end: () => { ended = true } }
}
