import { SERVER } from '../../actors/host-identity.ts'
import type { Command } from 'commander'
import { DeadlineExceeded, messageOf, Unavailable } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { within } from '../../runtime/within.ts'
import { openClientDevice, type ClientDevice } from '../client/device.ts'
import { forward, type Forwarding } from '../client/forward.ts'
import { Interrupted, ServerUnreachable, Usage } from '../errors.ts'
import { pairs, styleOf } from '../render.ts'
import { jsonLine } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { sayTo } from './boot-zone.ts'
import { command, wholeNumber } from './command.ts'
import { deniedNext } from './failure.ts'
import { DEFAULT_HOST_DIR } from './node.ts'

interface TunnelOptions {
  readonly to: string
  readonly listen: string
  readonly dir: string
  readonly timeout: number
  readonly json?: true
}

const CONNECT_SECONDS = 30

export function tunnelCommand(terminal: Terminal): Command {
  return command(terminal, 'tunnel', {
    description: 'From a client device: lead connections to an address here to a service of the zone, until Ctrl-C',
    examples: [
      'tunnel --to notes --listen 127.0.0.1:8081',
      'tunnel --to notes --listen 127.0.0.1:0 --dir ./laptop --json',
    ],
    exits: [12, 14, 20, 60, 71],
  })
    .requiredOption('--to <service>', 'whose HTTP port they lead to')
    .requiredOption('--listen <address>', 'where programs of this machine connect; port 0 takes a free one')
    .option('--dir <folder>', 'of the device, as join has made it', DEFAULT_HOST_DIR)
    .option('--timeout <seconds>', 'to reach the zone for the first time', wholeNumber(1, 3_600), CONNECT_SECONDS)
    .action((options: TunnelOptions) => runTunnel(terminal, options))
}

async function runTunnel(terminal: Terminal, options: TunnelOptions): Promise<void> {
  const { to: service, dir, timeout, json } = options
  const { hostname, port } = addressOf(options.listen)
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const platform = await openPlatform()
  const interrupted = terminal.interrupted()
  let failed = ''
  const device = await openClientDevice({
    platform, folder: dir,
    onChange({ state, server, ood }, error) {
      if (state === 'connected') say(`${style.good('connected')} to ${ood} at ${server}`)
      else if (error && messageOf(error) !== failed) terminal.error(`${server}: ${messageOf(error)}; it is tried again`)
      failed = state === 'connected' || !error ? '' : messageOf(error)
    },
  })
  let forwarding: Forwarding | undefined
  try {
    const signal = await Promise.race([interrupted, connect(platform, device, timeout).then(() => undefined)])
    if (signal !== undefined) throw new Interrupted(`Interrupted by ${signal} before it was connected`)
    await probe(terminal, device, service)
    forwarding = await forward({
      platform, device, service, hostname, port,
      onFailed: (error) => {
        const next = deniedNext((error as { details?: { denial?: unknown } }).details?.denial)
        terminal.error(`${service}: ${messageOf(error)}${next === undefined ? '' : `. ${next}`}`)
      },
    })
    const { ood, server } = device.state()
    const listen = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${forwarding.port}`
    const told = { ready: true, zone: device.zone, device: device.name, ood, server, to: service, listen }
    if (json) terminal.out(jsonLine(told))
    for (const line of pairs([['listens', `http://${listen}`], ['leads to', `${service} of ${device.zone}`]])) say(line)
    say('Ctrl-C stops it')
    const ended = await Promise.race([interrupted, device.ended])
    if (typeof ended !== 'string') throw ended ?? new Unavailable('The device is closed')
    say(`${ended}: stopping after ${forwarding.total} connections`)
  } finally {
    await forwarding?.close()
    await device.close()
  }
}

async function connect({ clock }: Platform, device: ClientDevice, seconds: number): Promise<void> {
  const late = (): Error => {
    const { server, reason } = device.state()
    return new ServerUnreachable(`No way to the zone within ${seconds} s: ${server}: ${reason}`, {
      next: 'Does the zone run there, and does a firewall let this device reach the port?',
    })
  }
  await within(clock, seconds * 1_000, device.connected(), late)
}

/** What is refused is told before anybody connects. */
async function probe(terminal: Terminal, device: ClientDevice, service: string): Promise<void> {
  try {
    const stream = await device.open(service)
    stream.close('it was only asked for')
  } catch (error) {
    // It may run in a moment
    if (!(error instanceof Unavailable) && !(error instanceof DeadlineExceeded)) throw error
    terminal.error(`${messageOf(error)}; connections are refused until it does`)
  }
}

function addressOf(text: string): { hostname: string; port: number } {
  const [, name = '', port = ''] = SERVER.exec(text) ?? []
  if (name === '' || Number(port) > 65_535) {
    throw new Usage(`It is no address to listen on: ${text}`, { next: 'Give --listen 127.0.0.1:8081' })
  }
  return { hostname: name.replace(/^\[|\]$/g, ''), port: Number(port) }
}
