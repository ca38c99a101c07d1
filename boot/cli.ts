import { Command, CommanderError } from 'commander'
import { exitCodesCommand } from './commands/exit-codes.ts'
import { exitCodeOf, failureLines, failureOf, isAnswer, usageMessage } from './commands/failure.ts'
import { proveCommand } from './commands/prove.ts'
import { simCommand } from './commands/sim.ts'
import { upCommand } from './commands/up.ts'
import { Usage } from './errors.ts'
import { styleOf } from './render.ts'
import { openTerminal, type Terminal } from './terminal.ts'

function program(terminal: Terminal): Command {
  const { invocation } = terminal
  const root = new Command(terminal.name)
    .description('Boots a zone from one trust key, attacks it, and simulates it.')
    .helpCommand('help [command]', 'Show the help of a command')
    .addHelpText('after', `\nStart here:\n  ${invocation} up\n\nExit codes: ${invocation} help exit-codes`)
  const commands = [upCommand(terminal), proveCommand(terminal), simCommand(terminal), exitCodesCommand(terminal)]
  for (const command of commands) root.addCommand(command)
  for (const command of [root, ...commands]) {
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: () => {} })
  }
  return root
}

/** Runs a command line. @returns the exit code */
async function run(terminal: Terminal): Promise<number> {
  const root = program(terminal)
  try {
    if (terminal.args.length === 0) root.outputHelp()
    else await root.parseAsync(terminal.args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError && isAnswer(error)) return 0
    return fail(terminal, error instanceof CommanderError ? usage(terminal, error) : error)
  }
}

function usage({ invocation, args }: Terminal, error: CommanderError): Error {
  const { message, hint } = usageMessage(error)
  const [first = ''] = args
  const topic = ['up', 'prove', 'sim'].includes(first) ? `${first} --help` : '--help'
  return new Usage(message, { next: [hint, `${invocation} ${topic}`].filter(Boolean).join(' ') })
}

function fail(terminal: Terminal, error: unknown): number {
  const has = (flag: string): boolean => terminal.args.includes(flag)
  for (const line of failureLines(error, styleOf(terminal.colours), has('--debug'))) terminal.error(line)
  if (has('--json')) terminal.out(JSON.stringify({ ready: false, error: failureOf(error) }))
  return exitCodeOf(error)
}

const terminal = openTerminal()
terminal.onUncaught((error) => fail(terminal, error))
terminal.close(await run(terminal))
