import type { Command } from 'commander'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, show, whereOptions, type ConnectOptions } from './connect.ts'
import { passwordOf } from './passwords.ts'

interface LoginOptions extends ConnectOptions {
  readonly passwordFile?: string
}

export function loginCommand(terminal: Terminal): Command {
  return whereOptions(command(terminal, 'login', {
    description: 'Log in to a running zone as a user, and keep the session for the commands that follow',
    examples: ['login', 'login alice', 'login alice --password-file ./password'],
  }))
    .argument('[user]', 'default: the owner of the zone as a person')
    .option('--password-file <file>', 'its first line is the password; - is stdin. Without it you are asked')
    .action((user: string | undefined, options: LoginOptions) => runLogin(terminal, user, options))
}

async function runLogin(terminal: Terminal, given: string | undefined, options: LoginOptions): Promise<void> {
  const client = await connect(terminal, options)
  const { located: { endpoint, url }, session } = client
  const user = given ?? endpoint?.owner
  if (user === undefined) throw new Usage('Who logs in?', { next: `${terminal.invocation} login NAME --url ${url}` })
  const zone = endpoint?.zone ?? url
  const question = `Password of ${printable(user)} in ${printable(zone)}: `
  const password = await passwordOf(terminal, options.passwordFile, question)
  await session.login(user, password)
  show(terminal, options, { user, zone, url }, () => [`Logged in to ${printable(zone)} as ${printable(user)}`])
}

export function logoutCommand(terminal: Terminal): Command {
  return whereOptions(command(terminal, 'logout', {
    description: 'End the session, in the zone and here',
    examples: ['logout', 'logout --user alice'],
  }))
    .option('--user <name>', 'whose login to end; default: who logged in last')
    .action(async (options: ConnectOptions) => {
      const user = await (await connect(terminal, options)).session.logout()
      show(terminal, options, { user: user ?? null }, () =>
        [user === undefined ? 'Nobody was logged in' : `Logged out: ${printable(user)}`])
    })
}
