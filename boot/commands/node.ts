import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { openHost } from '../host/folder.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { printUnit } from './print-unit.ts'
import { serveHost } from './serve-host.ts'

/** Where `join` keeps a host, unless it is told otherwise. */
export const DEFAULT_HOST_DIR = './.host'

interface NodeCommandOptions {
  readonly dir: string
  readonly port?: number
  readonly once?: true
  readonly systemd?: true
  readonly json?: true
}

export function nodeCommand(terminal: Terminal): Command {
  return command(terminal, 'node', {
    description: 'Run a host that has joined, from its folder, until Ctrl-C; it finds its zone again after any outage',
    examples: ['node', 'node --dir /var/lib/zonewright', 'node --dir /var/lib/zonewright --systemd'],
    exits: [5, 8, 11, 71],
  })
    .option('--dir <folder>', 'its folder, as join has made it', DEFAULT_HOST_DIR)
    .option('--port <number>', 'of the gateway for programs of this host; 0 takes a free one', wholeNumber(0, 65_535))
    .option('--once', 'end when it serves what its config names')
    .option('--systemd', 'print a unit for systemd that runs it at each start of the machine, and end')
    .action((options: NodeCommandOptions) => runNode(terminal, options))
}

async function runNode(terminal: Terminal, options: NodeCommandOptions): Promise<void> {
  const platform = await openPlatform()
  const { dir, port } = options
  if (options.systemd) {
    const folder = terminal.absolute(dir)
    const { file } = await openHost(platform, await platform.host.openFolder(folder))
    return printUnit(terminal, {
      description: `Host ${file.host} of the zone ${file.zone}`, folder,
      command: [
        ...terminal.program, 'node', '--dir', folder, ...(port === undefined ? [] : ['--port', String(port)]),
      ],
    }, options)
  }
  await serveHost(terminal, platform, { folder: dir, ...(port === undefined ? {} : { port }) }, options)
}
