import { RestartLimit } from '../../runtime/errors.ts'
import { fieldsText, GAP, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import type { BootedZone } from './boot-zone.ts'

/** Without one of these there is no control plane. */
const INDISPENSABLE = ['vault', 'system-config', 'verify-hub', 'node-daemon']
/** An actor that failed to start is tried again at once, unless its supervisor has given up. */
const GIVEN_UP_MS = 100

export interface Watch {
  /** Settles when an actor or a host that the zone cannot be without has failed for good. */
  readonly broken: Promise<Error>
  end(): void
}

/** Tells of warnings, and of hosts and actors that fail and come back, while a zone serves. */
export function watch({ zone, platform }: BootedZone, terminal: Terminal, style: Style): Watch {
  const { clock } = platform
  const first = zone.config.host
  let ended = false
  /** When each host that is away went. */
  const away = new Map<string, number>()
  const tell = (name: string, what: string): void => {
    if (!ended) terminal.error(`${style.bold(name)}: ${what}`)
  }
  const named = (host: string, actor: string): string => (host === first ? actor : `${host}/${actor}`)
  const failedForGood = (name: string): boolean =>
    !ended && zone.list().some(({ name: each, state }) => each === name && state === 'failed')
  zone.trace.on('log', ({ level, host, actor, message, fields }) => {
    if (level === 'info') return
    tell(named(host, actor), [message, fieldsText(fields)].filter((text) => text !== '').join(GAP))
  })
  const broken = new Promise<Error>((settle) => {
    zone.trace.on('actor', ({ host, actor, state, reason }) => {
      // Of a host that is away or on its way back the host's own lines tell
      if (away.has(host)) return
      if (state === 'died' || state === 'failed') tell(named(host, actor), `${state}: ${reason}`)
      if (state === 'serving') tell(named(host, actor), 'serves again')
      if (state !== 'failed' || host !== first || !INDISPENSABLE.includes(actor)) return
      clock.after(GIVEN_UP_MS, () => {
        if (failedForGood(actor)) settle(new RestartLimit(`The zone cannot be without ${actor}: ${reason}`, { actor }))
      })
    })
    zone.trace.on('host', ({ host, state, reason, starts }) => {
      if (state === 'restarting') {
        if (!away.has(host)) away.set(host, clock.monotonic())
        tell(host, `the host is down: ${reason}`)
      } else if (state === 'serving') {
        const downMs = Math.round(clock.monotonic() - (away.get(host) ?? clock.monotonic()))
        away.delete(host)
        tell(host, `the host serves again after ${downMs} ms, start ${starts}`)
      } else if (state === 'failed') {
        tell(host, `the host stays down: ${reason}`)
        if (host === first) settle(new RestartLimit(`The zone cannot be without ${host}: ${reason}`, { host }))
      }
    })
  })
  return { broken, end: () => { ended = true } }
}
