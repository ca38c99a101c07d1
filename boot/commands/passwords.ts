import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { secretIn } from './files.ts'

/** Passwords as they come in: from a file or a person, never as an argument or a variable, which others can read. */

/** @throws Usage where neither a file was given nor a person can be asked */
export async function passwordOf(
  terminal: Terminal, file: string | undefined, question: string, option = '--password-file',
): Promise<string> {
  if (file !== undefined) return secretIn(terminal, file, 'password')
  if (terminal.interactive) return terminal.ask(question, { secret: true })
  throw new Usage('There is no terminal to ask for the password', { next: `Give a file with ${option}` })
}

/** Asked for twice, so that it is what was meant. @throws Usage */
export async function newPasswordOf(terminal: Terminal, file: string | undefined, whose: string): Promise<string> {
  const password = await passwordOf(terminal, file, `New password of ${whose}: `)
  if (password === '') throw new Usage('A password cannot be empty')
  if (file === undefined && await terminal.ask('The same again: ', { secret: true }) !== password) {
    throw new Usage('The two passwords differ: nothing was changed')
  }
  return password
}
