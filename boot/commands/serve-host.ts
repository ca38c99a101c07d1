import { RestartLimit } from '../../runtime/errors.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { pause } from '../../runtime/within.ts'
import type { UplinkState } from '../../actors/uplink/protocol.ts'
import { Interrupted } from '../errors.ts'
import { OWN, runHost, type RunHostOptions, type RunningHost } from '../host/run.ts'
import { fieldsText, GAP, pairs, styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { urlOf } from '../address.ts'
import { sayTo } from './boot-zone.ts'

export interface ServeHostOptions {
  readonly json?: true
  /** End when it serves. */
  readonly once?: true
}

/** Runs a host that joined until it is interrupted, and tells how it reaches its zone. @throws what `runHost` does */
export async function serveHost(
  terminal: Terminal, platform: Platform, given: Omit<RunHostOptions, 'platform'>, options: ServeHostOptions,
  more: object = {},
): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const began = platform.clock.monotonic()
  const interrupted = terminal.interrupted()
  const host = await runHost({ platform, ...given })
  const telling = new AbortController()
  try {
    const broken = tellTrouble(terminal, host, style)
    void tellUplink(platform, host, say, style, telling.signal)
    const first = await Promise.race([host.serving.then(() => undefined), interrupted, broken])
    if (first instanceof Error) throw first
    if (first !== undefined) {
      if (options.once) throw new Interrupted(`Interrupted by ${first} before it served`)
      return
    }
    const state = await host.uplink()
    const ms = Math.round(platform.clock.monotonic() - began)
    if (options.json) terminal.out(JSON.stringify({ ...summary(host, state, ms), ...more }))
    for (const line of readyLines(host, state, ms, style)) say(line)
    if (options.once) return
    say('Ctrl-C stops it')
    const ended = await Promise.race([interrupted, broken])
    if (ended instanceof Error) throw ended
    say(`${ended}: stopping`)
  } finally {
    telling.abort()
    await host.stop()
  }
}

function summary(host: RunningHost, uplink: UplinkState, servingMs: number) {
  const { file: { zone, host: name } } = host.identity
  const address = host.address()
  return {
    serving: true, zone, host: name, servingMs, address: address ? `${urlOf(address)}/` : null,
    uplink: { server: uplink.server, ood: uplink.ood, certificate: uplink.certificate },
    actors: host.list().actors.filter(({ state }) => state === 'serving').map(({ name: actor }) => actor),
  }
}

function readyLines(host: RunningHost, { server, ood }: UplinkState, ms: number, style: Style): readonly string[] {
  const { file: { zone, host: name } } = host.identity
  const actors = host.list().actors.filter(({ state }) => state === 'serving')
  const address = host.address()
  return [
    '', `${style.good('serving')} as ${style.bold(name)} of ${zone} after ${ms} ms, ${actors.length} actors`, '',
    ...pairs([
      ['zone', `by ${ood} at ${server}`],
      ...(address ? [['programs', `of this host ask the zone at ${urlOf(address)}/kapi/`] as const] : []),
      ['runs', actors.map((one) => one.name).join(', ')],
    ]), '',
  ]
}

const LOOK_MS = 500

/** Each change of the way to the zone. */
async function tellUplink(
  { clock }: Platform, host: RunningHost, say: (line: string) => void, style: Style, signal: AbortSignal,
): Promise<void> {
  let before = ''
  while (!signal.aborted) {
    const state = await host.uplink().catch(() => undefined)
    const now = state ? `${state.state} ${state.ood}` : ''
    if (state && now !== before && !signal.aborted) {
      before = now
      if (state.state === 'connected') say(`${style.good('connected')} to ${state.ood} at ${state.server}`)
      else say(`${style.dim(state.state)}: ${state.server}${state.reason === '' ? '' : ` (${state.reason})`}`)
    }
    await pause(clock, LOOK_MS, signal)
  }
}

/** Settles when the host stays down. */
function tellTrouble(terminal: Terminal, host: RunningHost, style: Style): Promise<Error> {
  const tell = (name: string, what: string): void => terminal.error(`${style.bold(name)}: ${what}`)
  host.trace.on('log', ({ level, actor, message, fields }) => {
    if (level === 'info') return
    tell(actor, [message, fieldsText(fields)].filter((text) => text !== '').join(GAP))
  })
  host.trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died' || state === 'failed') tell(actor, `${state}: ${reason}`)
  })
  return new Promise((settle) => {
    // Nothing here starts it again; whoever started this host does
    host.trace.on('actor', ({ actor, state, reason }) => {
      if (state !== 'failed' || !OWN.includes(actor)) return
      settle(new RestartLimit(`${actor} stays down: ${reason}`, { actor }))
    })
    host.trace.on('host', ({ host: name, state, reason }) => {
      if (state === 'restarting') tell(name, `the host is down: ${reason}`)
      if (state === 'failed') settle(new RestartLimit(`The host stays down: ${reason}`, { host: name }))
    })
  })
}
