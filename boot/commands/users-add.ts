import { Option, type Command } from 'commander'
import { kv, type UserSettings } from '../../actors/records.ts'
import { KeyExists } from '../../actors/system-config/protocol.ts'
import { passwordFault } from '../../actors/verify-hub/password-text.ts'
import { AlreadyExists, Denied, InvalidArgument, messageOf } from '../../runtime/errors.ts'
import { setPassword } from '../client/account.ts'
import { getItem } from '../client/kv.ts'
import { documentChange, makeKey, type NewKey } from '../client/user-key.ts'
import { newUserName } from '../client/users.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { NotLoggedIn, Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show } from './connect.ts'
import { ownerKeyOptions, type Change } from './owner-signs.ts'
import { newPasswordOf } from './passwords.ts'
import { placeOf } from './users-key.ts'
import { demandAuthority, writeAsOwnerOrSudo, type ByOwner } from './users-state.ts'

interface AddOptions extends ByOwner {
  readonly type: UserSettings['type']
  readonly compatPassword?: true
  readonly passwordFile?: string
  readonly password: boolean
  readonly keyOut?: string
}

export function userAddCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'add', {
    description: 'Add a user: by an admin’s sudo, with a first password; or by the owner key, with a key for sudo',
    examples: [
      'sudo users add bob', 'sudo users add carol --type admin --password-file ./password',
      'sudo users add alice --owner-key ./.zone/owner.key', 'users add dave --owner-key ./.zone/owner.key',
    ],
  })), 'signs the settings and the first key of the user; is not kept')
    .argument('<name>')
    .addOption(new Option('--type <type>', 'what they may do').choices(['admin', 'user']).default('user'))
    .option('--compat-password', 'let the originals’ clients log in by the hashed password, which is as good as it')
    .option('--password-file <file>', 'its first line is the password; - is stdin. Without it you are asked twice')
    .option('--no-password', 'set none yet: they cannot log in until sudo passwd gives them one')
    .option('--key-out <file>', 'with --owner-key: where their key goes, 0600; default: where sudo looks for it')
    .action((name: string, options: AddOptions) => runAdd(terminal, newUserName(name), options))
}

async function runAdd(terminal: Terminal, name: string, options: AddOptions): Promise<void> {
  const { type, compatPassword, passwordFile, ownerKey, keyOut, ownerPassphraseFile } = options
  demandAuthority(terminal, options, `users add ${name}`)
  if (keyOut !== undefined && ownerKey === undefined) {
    throw new Usage('A first key is made by the owner key only', { next: 'Give it with --owner-key' })
  }
  if (terminal.sudo === undefined && passwordFile !== undefined) {
    throw new Usage('A first password is set by an admin’s sudo', {
      next: `${terminal.invocation} sudo users add ${name} --owner-key …, or sudo passwd ${name} later`,
    })
  }
  if (passwordFile === '-' && ownerPassphraseFile === '-') {
    throw new Usage('Two files cannot both be stdin', { next: 'Give a path for one of them' })
  }
  const client = await connect(terminal, options)
  // Before anything is written
  await refuseDevice(client, name)
  const password = options.password && terminal.sudo !== undefined
    ? await newPasswordOf(terminal, passwordFile, printable(name)) : undefined
  // verify-hub would refuse it as well, but of a user who is there by then
  const fault = password === undefined ? undefined : passwordFault(name, password)
  if (fault !== undefined) throw new InvalidArgument(`password: ${fault}`, { next: 'Nobody was added' })
  const settings: UserSettings = {
    name, type, state: 'active', ...(compatPassword ? { compat_password: true } : {}),
  }
  const key = ownerKey === undefined ? undefined
    : await makeKey(client.platform, placeOf(terminal, client, name, keyOut), { user: name, replaces: false })
  const revision = await writeUser(terminal, client, settings, key, options)
  if (password !== undefined) await firstPassword(terminal, client, name, password)
  const kid = key && client.platform.keys.importJwk(key.document.key).kid
  show(terminal, options, {
    user: name, type, revision, password: password !== undefined, ...(key ? { kid, path: key.path } : {}),
  }, () => [
    `${printable(name)} is added as ${type === 'admin' ? 'an admin' : 'a user'}`,
    ...(key ? [`Their key for sudo is in ${printable(key.path)}: give it to them, and to nobody else`] : []),
    ...(password === undefined ? [`They have no password yet: ${terminal.invocation} sudo passwd ${name}`] : []),
  ])
}

/** The policy knows both by their name, so the scheduler gives nothing to a user who is called as a device is. */
async function refuseDevice(client: ZoneClient, name: string): Promise<void> {
  const device = await getItem(client, kv.device(name)).catch((error: unknown) => {
    if (error instanceof Denied || error instanceof NotLoggedIn) return undefined
    throw error
  })
  if (device) throw new AlreadyExists(`There is a device of this name: ${name}`, { next: 'Give another name' })
}

async function writeUser(
  terminal: Terminal, client: ZoneClient, settings: UserSettings, key: NewKey | undefined, options: AddOptions,
): Promise<number> {
  const { name } = settings
  const actions: Readonly<Record<string, Change>> = {
    [kv.user(name)]: { action: 'create', value: JSON.stringify(settings) },
    ...(key ? documentChange('create', key.document) : {}),
  }
  const write = (): Promise<number> => writeAsOwnerOrSudo(terminal, client, actions, options)
    .catch((error: unknown) => {
      if (!(error instanceof KeyExists)) throw error
      throw new KeyExists(`There is a user of this name already: ${name}`, {
        ...error.details, next: `${terminal.invocation} users show ${name}`,
      })
    })
  return key ? key.install(write) : write()
}

/** The user is there already: what is missing is said, and how to make up for it. */
async function firstPassword(terminal: Terminal, client: ZoneClient, user: string, password: string): Promise<void> {
  await setPassword(client, { user, password }).catch((error: unknown) => {
    terminal.error(`${printable(user)} is added, but has no password: ${printable(messageOf(error))}`)
    terminal.error(`Set it with ${terminal.invocation} sudo passwd ${user}`)
    throw error
  })
}
