import type { Command } from 'commander'
import { isPassing } from '../client/follow.ts'
import { demandHere, readHosts, targetOf, type SeenHost, type Target } from '../client/hosts.ts'
import { until } from '../client/until.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { ServiceNotServing } from '../errors.ts'
import { styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

interface KillOptions extends ConnectOptions {
  readonly wait: boolean
  readonly timeout: number
}

export const timeoutOption = (of: Command): Command => of
  .option('--no-wait', 'do not wait for what follows')
  .option('--timeout <seconds>', 'how long to wait for it', wholeNumber(1, 3_600), 60)

export function killCommand(terminal: Terminal): Command {
  return timeoutOption(connectOptions(command(terminal, 'kill', {
    description: 'End a host or an actor at once, as a crash would, and watch it come back',
    examples: ['kill vault', 'kill node2', 'kill node2/service', 'kill node2/service --no-wait'],
  })))
    .argument('<target>', 'HOST, HOST/ACTOR, or an ACTOR that one host has')
    .action((text: string, options: KillOptions) => runKill(terminal, text, options))
}

/** What is there of it now: grows with every start. */
interface Seen {
  readonly state: string
  readonly starts: number
  readonly reason: string
}

function see(hosts: readonly SeenHost[], { host: name, actor }: Target): Seen | undefined {
  const host = hosts.find((each) => each.host === name)
  if (!host || actor === undefined) return host
  const found = host.actors.find((each) => each.name === actor)
  return found && { state: found.state, starts: found.incarnation, reason: found.reason }
}

async function runKill(terminal: Terminal, text: string, options: KillOptions): Promise<void> {
  const client = await connect(terminal, options)
  const { clock } = client.platform
  const style = styleOf(terminal.colours)
  const hosts = await readHosts(client)
  const target = targetOf(hosts, text)
  demandHere(hosts, target, `End it there: systemctl restart zonewright, or kill its process`)
  const name = target.actor === undefined ? target.host : `${target.host}/${target.actor}`
  const before = see(hosts, target)
  const began = clock.monotonic()
  await kill(client, target)
  if (!options.wait) return show(terminal, options, { killed: name }, () => [`Killed ${name}`])
  if (!options.json) terminal.out(`Killed ${style.bold(name)}`)
  const after = await recovered(client, target, before, options.timeout * 1000, (state) => {
    if (!options.json) terminal.out(`  ${state}`)
  })
  const tookMs = Math.round(clock.monotonic() - began)
  if (after?.state !== 'serving') {
    const why = after ? `it is ${after.state}: ${after.reason}` : 'the zone does not answer'
    throw new ServiceNotServing(`${name} did not come back within ${options.timeout} s: ${why}`, {
      next: `${terminal.invocation} ps ${target.host}, ${terminal.invocation} logs ${name}`,
    })
  }
  show(terminal, options, { killed: name, backAfterMs: tookMs, incarnation: after.starts }, () =>
    [`${style.good('serves again')} after ${tookMs} ms`])
}

/** What carries the answer may be what was killed. */
async function kill(client: ZoneClient, target: Target): Promise<void> {
  try {
    await client.call('node-daemon', 'kill', target)
  } catch (error) {
    const carries = target.actor === undefined || ON_THE_WAY.has(target.actor)
    if (!carries || !isPassing(error)) throw error
  }
}

const ON_THE_WAY = new Set(['gateway', 'node-daemon', 'system-config', 'verify-hub'])

async function recovered(
  client: ZoneClient, target: Target, before: Seen | undefined, withinMs: number, tell: (state: string) => void,
): Promise<Seen | undefined> {
  let told = ''
  let last: Seen | undefined
  const found = await until(client, withinMs, async () => {
    const seen = see(await readHosts(client), target)
    if (!seen) return undefined
    last = seen
    const isNew = seen.starts > (before?.starts ?? 0)
    if (seen.state !== told && !(seen.state === 'serving' && isNew)) tell(seen.state)
    told = seen.state
    return isNew && (seen.state === 'serving' || seen.state === 'failed') ? seen : undefined
  })
  return found ?? (last && { ...last, state: last.state === 'serving' ? 'not restarted' : last.state })
}
