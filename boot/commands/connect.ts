import { Option, type Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import { openZoneClient, type ClientOptions, type ZoneClient } from '../client/zone-client.ts'
import { jsonLine } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

/** What every command is told that speaks to a running zone. */
export interface ConnectOptions extends ClientOptions {
  readonly json?: true
}

export const whereOptions = (of: Command): Command => of
  .addOption(new Option('--dir <folder>', 'the folder that the zone was started from').default(DEFAULT_DIR))
  .option('--url <address>', 'where it listens, instead of --dir: http://127.0.0.1:8080')
  .option('--session <file>', 'keep the login in this file and no other')

export const connectOptions = (of: Command): Command => whereOptions(of)
  .option('--user <name>', 'whose login to use; default: who logged in last')

/** @throws ZoneNotRunning, Usage */
export const connect = async (terminal: Terminal, options: ConnectOptions): Promise<ZoneClient> =>
  openZoneClient(terminal, await openPlatform(), options)

/** One object with --json, else lines for a person. */
export function show(
  terminal: Terminal, { json }: { readonly json?: true }, value: unknown, lines: () => readonly string[],
): void {
  if (json) terminal.out(jsonLine(value))
  else for (const line of lines()) terminal.out(line)
}
