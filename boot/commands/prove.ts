import type { Command } from 'commander'
import { FolderInUse } from '../../runtime/errors.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import { styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { bootZone, sayTo, zoneOptions, type BootedZone, type Say, type ZoneOptions } from './boot-zone.ts'
import { command } from './command.ts'
import { assertPassed } from './self-check.ts'
import { checkAndStop } from './up.ts'

export function proveCommand(terminal: Terminal): Command {
  return zoneOptions(command(terminal, 'prove', {
    description: 'Boot the zone of a folder, attack it, show that each attack is refused, and stop',
    examples: ['prove', 'prove --dir ./other', 'prove --json'],
  })).action((options: ZoneOptions) => runProve(terminal, options))
}

async function runProve(terminal: Terminal, options: ZoneOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const mayUseOther = options.dir === undefined && options.config === undefined
  let temporary: string | undefined
  let booted: BootedZone
  try {
    try {
      booted = await bootZone(terminal, options, style)
    } catch (error) {
      if (!mayUseOther || !(error instanceof FolderInUse)) throw error
      // `up` runs on the default folder in another terminal, as it told its user to try
      temporary = await terminal.temporaryFolder()
      terminal.error(`note: ${DEFAULT_DIR} is in use: this is a zone of its own, in ${temporary}, removed afterwards`)
      booted = await bootZone(terminal, { ...options, dir: temporary }, style)
    }
    await proveAndTell(terminal, booted, options, say, style)
  } finally {
    if (temporary !== undefined) await terminal.removeFolder(temporary)
  }
}

async function proveAndTell(
  terminal: Terminal, booted: BootedZone, options: ZoneOptions, say: Say, style: Style,
): Promise<void> {
  const { passed, failed, results } = await checkAndStop(terminal, booted, say, style)
  assertPassed({ passed, failed, results })
  if (options.json) terminal.out(JSON.stringify({ passed, failed, results }))
  else if (options.diagram) for (const line of ['', booted.diagram()]) say(line)
}
