import type { Command } from 'commander'
import { Denied, NotFound } from '../../runtime/errors.ts'
import { setPassword } from '../client/account.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { newPasswordOf, passwordOf } from './passwords.ts'

interface PasswdOptions extends ConnectOptions {
  readonly passwordFile?: string
  readonly oldPasswordFile?: string
}

export function passwdCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'passwd', {
    description: 'Change your password; an admin sets that of another user by sudo',
    examples: ['passwd', 'passwd --old-password-file ./old --password-file ./new', 'sudo passwd bob'],
  }))
    .argument('[user]', 'default: you')
    .option('--password-file <file>', 'its first line is the new password; - is stdin. Without it you are asked twice')
    .option('--old-password-file <file>', 'its first line is the one until now; - is stdin. Not by sudo')
    .action((user: string | undefined, options: PasswdOptions) => runPasswd(terminal, user, options))
}

async function runPasswd(terminal: Terminal, given: string | undefined, options: PasswdOptions): Promise<void> {
  const { passwordFile, oldPasswordFile } = options
  if (passwordFile === '-' && oldPasswordFile === '-') {
    throw new Usage('Two files cannot both be stdin', { next: 'Give a path for one of them' })
  }
  const client = await connect(terminal, options)
  const me = await client.user()
  const user = given ?? me
  const whose = printable(user)
  const bySudo = terminal.sudo !== undefined
  if (!bySudo && user !== me) {
    throw new Usage(`You are ${me}; the password of another user is set by an admin’s sudo`, {
      next: `${terminal.invocation} sudo passwd ${whose}`,
    })
  }
  if (bySudo && oldPasswordFile !== undefined) {
    throw new Usage('By sudo no old password is asked for', { next: 'Leave out --old-password-file, or sudo' })
  }
  const old = bySudo ? undefined
    : await passwordOf(terminal, oldPasswordFile, `Old password of ${whose}: `, '--old-password-file')
  const password = await newPasswordOf(terminal, passwordFile, whose)
  await setPassword(client, { user, password, ...(old === undefined ? {} : { old }) }).catch((error: unknown) => {
    // Who asks is active: their key or session was accepted
    if (!(error instanceof Denied) || error.details['reason'] !== 'login/user' || user === me) throw error
    throw new NotFound(`There is no such user, or the account is deleted: ${user}`, { name: user })
  })
  show(terminal, options, { user }, () => [
    `The password of ${whose} is changed`, `Their sessions by password have ended${bySudo ? '' : ', save this one'}`,
  ])
}
