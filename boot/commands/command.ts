import { Command, InvalidArgumentError } from 'commander'
import { pairs } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { meaningOf } from './exit-codes.ts'

/** A command with the options that all have, its examples, and where its exit codes are. */
export function command(
  terminal: Terminal, name: string,
  options: {
    readonly description: string
    readonly examples: readonly string[]
    /** What --json does, where it is something else. */
    readonly json?: string
    /** Exit codes that are worth more than a line in the table of all. */
    readonly exits?: readonly number[]
  },
): Command {
  return bare(terminal, name, options)
    .option('--json', options.json ?? 'print one JSON object, last and alone on stdout')
    .option('--debug', 'show the stack of an error')
}

/** A command that only holds others. */
export function group(
  terminal: Terminal, name: string, options: { readonly description: string; readonly examples: readonly string[] },
  members: readonly Command[],
): Command {
  const made = bare(terminal, name, options).helpCommand(false)
  for (const member of members) made.addCommand(member)
  return made
}

function bare(
  { invocation }: Terminal, name: string,
  { description, examples, exits = [] }: {
    readonly description: string; readonly examples: readonly string[]; readonly exits?: readonly number[]
  },
): Command {
  const told = exits.length === 0 ? '' : `Exit codes:
${pairs(exits.map((code) => [String(code).padStart(3), meaningOf(code)])).join('\n')}
  all: ${invocation} help exit-codes`
  const lines = examples.map((example) => `  ${invocation} ${example}`.trimEnd())
  return new Command(name)
    .description(description)
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}\n\n${told || `Exit codes: ${invocation} help exit-codes`}`)
}

/** An option's argument that is a whole number between two others. */
export const wholeNumber = (least: number, most: number) => (text: string): number => {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`)
  }
  return number
}
