import { Option, type Command } from 'commander'
import { limits } from '../../runtime/limits.ts'
import { LogLine } from '../../runtime/supervision.ts'
import { follow } from '../client/follow.ts'
import { demandHere, readHosts, targetOf, type Target } from '../client/hosts.ts'
import { shapeOf } from '../client/kv.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { jsonLine, printable } from '../printable.ts'
import { GAP, styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { connect, connectOptions, type ConnectOptions } from './connect.ts'
import { untilInterrupted } from './interrupt.ts'

const LEVELS = ['info', 'warn', 'error'] as const

interface LogsOptions extends ConnectOptions {
  readonly follow?: true
  readonly tail: number
  readonly level: Line['level']
}
type Line = ReturnType<typeof lineOf>

export function logsCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'logs', {
    description: 'Print what the actors of a running zone logged',
    examples: ['logs', 'logs verify-hub', 'logs node2/service --follow', 'logs --level warn --tail 20 --json'],
    json: 'print one JSON object a line',
  }))
    .argument('[target]', 'HOST, HOST/ACTOR, or an ACTOR of any host; default: all')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('-n, --tail <lines>', 'begin with the last so many', wholeNumber(0, limits.logLinesKept), 200)
    .addOption(new Option('--level <least>', 'leave out what matters less').choices(LEVELS).default('info'))
    .action((target: string | undefined, options: LogsOptions) => runLogs(terminal, target, options))
}

async function runLogs(terminal: Terminal, text: string | undefined, options: LogsOptions): Promise<void> {
  const client = await connect(terminal, options)
  const target = text === undefined ? {} : await wanted(client, text)
  const style = styleOf(terminal.colours)
  const least = LEVELS.indexOf(options.level)
  await untilInterrupted(terminal, async (signal) => {
    for await (const line of linesOf(client, target, options, signal)) {
      if (LEVELS.indexOf(line.level) < least) continue
      terminal.out(options.json ? jsonLine(line) : lineText(terminal, line, style))
      await terminal.drained()
    }
  })
}

/** An actor that several hosts have is meant on all of them. */
async function wanted(client: ZoneClient, text: string): Promise<Partial<Target>> {
  const hosts = await readHosts(client)
  const isActor = hosts.some(({ actors }) => actors.some(({ name }) => name === text))
  if (isActor && !hosts.some(({ host }) => host === text)) {
    const having = hosts.filter(({ actors }) => actors.some(({ name }) => name === text))
    if (having.every(({ remote }) => remote)) demandHere(hosts, having[0]!, ON_ITS_HOST)
    return { actor: text }
  }
  const target = targetOf(hosts, text)
  demandHere(hosts, target, ON_ITS_HOST)
  return target
}

const ON_ITS_HOST = 'Read it there: journalctl -u zonewright, or logs/zone.jsonl in the folder of that host'

const lineOf = (item: unknown) => shapeOf(LogLine, item, 'a line of log')

/** Each line once. Numbers are of one process of the zone: where that was replaced, they begin again. */
async function* linesOf(
  client: ZoneClient, target: Partial<Target>, { follow: goOn, tail }: LogsOptions, signal: AbortSignal,
): AsyncIterable<Line> {
  let after: number | undefined
  let startedAt = client.located.endpoint?.startedAt
  const open = () => {
    const now = client.located.endpoint?.startedAt
    if (now !== startedAt) after = 0
    startedAt = now
    const place = after === undefined ? { tail } : { after }
    return client.stream('node-daemon', 'logs', { ...target, ...place, follow: goOn === true }, signal)
  }
  for await (const item of follow(client, signal, open)) {
    const line = lineOf(item)
    after = line.sequence
    yield line
  }
}

const PLACE_WIDTH = 20

function lineText(terminal: Terminal, { at, level, host, actor, message, fields }: Line, style: Style): string {
  const paint = level === 'error' ? style.bad : level === 'warn' ? style.bold : (text: string) => text
  const told = Object.entries(fields).map(([name, value]) =>
    `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [
    style.dim(terminal.localTime(at)), paint(level.padEnd(5)), printable(`${host}/${actor}`).padEnd(PLACE_WIDTH),
    paint(printable(message)), ...told.map((text) => style.dim(printable(text))),
  ].join(GAP)
}
