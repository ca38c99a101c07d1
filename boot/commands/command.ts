import { Command, InvalidArgumentError } from 'commander'
import type { Terminal } from '../terminal.ts'

/** A command with the options that all have, its examples, and where its exit codes are. */
export function command(
  terminal: Terminal, name: string,
  options: {
    readonly description: string
    readonly examples: readonly string[]
    /** What --json does, where it is something else. */
    readonly json?: string
  },
): Command {
  const examples = options.examples.map((example) => `  ${terminal.invocation} ${example}`.trimEnd())
  return new Command(name)
    .description(options.description)
    .option('--json', options.json ?? 'print one JSON object, last and alone on stdout')
    .option('--debug', 'show the stack of an error')
    .addHelpText('after', `\nExamples:\n${examples.join('\n')}\n\nExit codes: ${terminal.invocation} help exit-codes`)
}

/** An option's argument that is a whole number between two others. */
export const wholeNumber = (least: number, most: number) => (text: string): number => {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`)
  }
  return number
}
