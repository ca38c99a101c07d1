import type { Command } from 'commander'
import { unlock } from '../client/account.ts'
import { readUser, readUsers, userName, type User } from '../client/users.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { fields, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { userAddCommand } from './users-add.ts'
import { userKeyCommand } from './users-key.ts'
import { stateChanges, userStateCommand } from './users-state.ts'

export function usersCommand(terminal: Terminal): Command {
  return group(terminal, 'users', {
    description: 'Show and change the users of a zone',
    examples: [
      'users', 'users show alice', 'sudo users add bob', 'sudo users suspend bob',
      'users key alice --owner-key ./.zone/owner.key',
    ],
  }, [
    showCommand(terminal), userAddCommand(terminal),
    ...stateChanges.map((change) => userStateCommand(terminal, change)),
    unlockCommand(terminal), userKeyCommand(terminal),
  ]).addCommand(listCommand(terminal), { isDefault: true })
}

const COLUMNS: readonly Column[] = [
  { head: 'user' }, { head: 'type' }, { head: 'state' }, { head: 'key for sudo', shrinks: true }, { head: '' },
]

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List users: type, state, and the key that each signs with for sudo',
    examples: ['users', 'users list --json', 'sudo users list'],
  })).action(async (options: ConnectOptions) => {
    const users = await readUsers(await connect(terminal, options))
    const style = styleOf(terminal.colours)
    show(terminal, options, { users: users.map(told) }, () =>
      table(COLUMNS, users.map((user) => row(user, style)), terminal.columns, style))
  })
}

const told = ({ settings, revision, key }: User) => ({
  name: settings.name, type: settings.type, state: settings.state, compatPassword: settings.compat_password ?? false,
  revision, ...(key === undefined ? {} : { key }),
})

function row({ settings, key }: User, style: Style): readonly Cell[] {
  const { name, type, state, compat_password: compat } = settings
  return [
    { text: name, paint: style.bold }, { text: type },
    { text: state, paint: state === 'active' ? style.good : style.bad },
    { text: keyText(key) }, { text: compat ? 'compat password' : '' },
  ]
}

const keyText = (key: User['key']): string => (key === undefined ? 'not shown to you' : key?.kid ?? 'none')

function showCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'show', {
    description: 'Show one user',
    examples: ['users show alice', 'users show alice --json', 'sudo users show bob'],
  })).argument('<name>').action(async (name: string, options: ConnectOptions) => {
    const user = await readUser(await connect(terminal, options), userName(name))
    const { settings, key } = user
    show(terminal, options, told(user), () => fields([
      ['name', settings.name], ['type', settings.type], ['state', settings.state], ['key for sudo', keyText(key)],
      ...(key ? [['since', terminal.localTime(key.iat * 1000)] as const] : []),
      ['compat password', settings.compat_password ? 'yes: the hashed form is as good as the password' : 'no'],
    ]))
  })
}

function unlockCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'unlock', {
    description: 'Let a user log in again who is locked out after too many wrong passwords',
    examples: ['users unlock bob'],
  })).argument('<name>').action(async (name: string, options: ConnectOptions) => {
    await unlock(await connect(terminal, options), userName(name))
    show(terminal, options, { user: name }, () => [`${printable(name)} is not locked out`])
  })
}
