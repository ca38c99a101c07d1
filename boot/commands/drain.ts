import type { Command } from 'commander'
import { drainHost, hasLeft, type Drained, type Left } from '../client/drain.ts'
import { readHosts } from '../client/hosts.ts'
import { isDown } from '../client/services.ts'
import { HostNotEmpty } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

interface DrainOptions extends ConnectOptions {
  readonly wait?: true
  readonly timeout: number
}

export function drainCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'drain', {
    description: 'Let the services of a host go elsewhere, and nothing new come to it',
    examples: ['drain node2', 'drain node2 --wait --timeout 300', 'drain node2 --json'],
    exits: [14, 20, 55],
  }))
    .argument('<host>', 'whose services go elsewhere')
    .option('--wait', 'wait until they serve there; fail when something stays')
    .option('--timeout <seconds>', 'how long to wait for it', wholeNumber(1, 3_600), 60)
    .action((host: string, options: DrainOptions) => drain(terminal, host, options))
}

export function undrainCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'undrain', {
    description: 'Let services come to a host again that was drained; nothing moves back by itself',
    examples: ['undrain node2', 'undrain node2 --json'],
    exits: [14, 20],
  }))
    .argument('<host>', 'to which services may come again')
    .action(async (host: string, options: ConnectOptions) => {
      const client = await connect(terminal, options)
      const { state, revision } = await drainHost(client, 'undrain', host)
      show(terminal, options, { host, state, revision }, () => [`Services may come to ${printable(host)} again`])
    })
}

async function drain(terminal: Terminal, host: string, options: DrainOptions): Promise<void> {
  const client = await connect(terminal, options)
  const style = styleOf(terminal.colours)
  const say = (line: string): void => { if (!options.json) terminal.out(line) }
  const before = await readHosts(client)
  const drained = await drainHost(client, 'drain', host)
  const stay = new Map(drained.placed.map(({ name, reason }) => [name, reason]))
  const names = (before.find((each) => each.host === host)?.actors ?? [])
    .filter((actor) => actor.managed && !isDown(actor) && !stay.has(actor.name)).map(({ name }) => name)
  say(`Nothing new comes to ${style.bold(printable(host))}, and ${counted(names.length)} on the way elsewhere`)
  for (const { name, reason } of drained.placed) say(`  ${printable(name)} stays: ${printable(reason)}`)
  const left: Left[] = []
  const tell = (one: Left): void => {
    left.push(one)
    say(`  ${printable(one.name)}  ${printable(host)} → ${one.hosts.map(printable).join(', ') || 'no host'}`)
  }
  const withinMs = options.timeout * 1000
  const late = options.wait ? await hasLeft(client, { host, names, withinMs, tell }) : names
  const result = { ...drained, left, leaving: late, empty: late.length === 0 && stay.size === 0 }
  show(terminal, options, result, () =>
    (result.empty ? [`${style.good('empty')}: nothing of the zone's runs there`] : []))
  if (options.wait && !result.empty) throw notEmpty(terminal, drained, late, options.timeout)
}

const counted = (count: number): string => (count === 1 ? '1 service is' : `${count} services are`)

function notEmpty(
  terminal: Terminal, { host, placed }: Drained, late: readonly string[], seconds: number,
): Error {
  const what = [
    ...placed.slice(0, SHOWN).map(({ name, reason }) => `${name} stays: ${reason}`),
    ...late.slice(0, SHOWN).map((name) => `${name} does not serve elsewhere after ${seconds} s`),
  ]
  return new HostNotEmpty(`${host} is not empty: ${what.join('; ')}`, {
    next: `${terminal.invocation} services show ${placed[0]?.name ?? late[0] ?? ''}`, shown: true,
  })
}
const SHOWN = 5
