import type { Command } from 'commander'
import { kv, type UserSettings } from '../../actors/records.ts'
import { KeyNotFound } from '../../actors/system-config/protocol.ts'
import { Denied } from '../../runtime/errors.ts'
import { listSessions, revokeSessions } from '../client/account.ts'
import { transact } from '../client/kv.ts'
import { noSuchUser, userName } from '../client/users.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { ownerKeyOptions, signedByOwner, type Change, type OwnerKeyOptions } from './owner-signs.ts'
import { endedLine } from './sessions.ts'

interface StateChange {
  readonly verb: string
  readonly state: UserSettings['state']
  readonly done: string
  readonly description: string
  /** Their sessions end. */
  readonly ends: boolean
}

export const stateChanges: readonly StateChange[] = [
  {
    verb: 'suspend', state: 'suspended', done: 'suspended', ends: true,
    description: 'Let a user log in no more, and end their sessions',
  },
  {
    verb: 'activate', state: 'active', done: 'active', ends: false,
    description: 'Let a user log in again who was suspended, pending or deleted',
  },
  {
    verb: 'delete', state: 'deleted', done: 'deleted', ends: true,
    description: 'Close an account; its name and data stay, so that nobody else gets them, and activate opens it again',
  },
]

export type ByOwner = ConnectOptions & OwnerKeyOptions

export function userStateCommand(terminal: Terminal, change: StateChange): Command {
  const { verb, description } = change
  return ownerKeyOptions(connectOptions(command(terminal, verb, {
    description: `${description}: by an admin’s sudo, or by the owner key`,
    examples: [`sudo users ${verb} bob`, `users ${verb} bob --owner-key ./.zone/owner.key`],
  })), 'instead of sudo: signs this one change, and is not kept')
    .argument('<name>')
    .action((name: string, options: ByOwner) => runChange(terminal, userName(name), change, options))
}

async function runChange(terminal: Terminal, name: string, change: StateChange, options: ByOwner): Promise<void> {
  const { verb, state, done, ends } = change
  demandAuthority(terminal, options, `users ${verb} ${name}`)
  const client = await connect(terminal, options)
  const me = !ends ? undefined : await (terminal.sudo === undefined ? client.session.user() : client.user())
  // Nobody might be left who could undo it
  if (me === name && options.ownerKey === undefined) {
    throw new Usage(`You are ${name}, and would be locked out`, {
      next: 'Let another admin do it, or say it with --owner-key FILE',
    })
  }
  // Else nobody is left to ask verify-hub, which ends them by itself
  const asks = me !== undefined && me !== name
  const before = asks ? await livingOf(client, name) : 0
  // Not read first: who may write this need not be allowed to read it
  const actions = { [kv.user(name)]: { action: 'set_by_path', all_set: { '/state': state } } }
  const revision = await writeAsOwnerOrSudo(terminal, client, actions, options).catch((error: unknown) => {
    throw error instanceof KeyNotFound ? noSuchUser(name) : error
  })
  // verify-hub ends them in any case once it sees the state; until this has been answered, nobody can rely on that
  const ended = asks ? Math.max(before, await endSessions(terminal, client, name)) : undefined
  show(terminal, options, { user: name, state, revision, ...(ended === undefined ? {} : { ended }) }, () => [
    `${printable(name)} is ${done}`,
    ...(ended !== undefined ? [endedLine(name, ended)] : ends ? ['Their sessions end a moment later'] : []),
  ])
}

/** How many sessions live; none, for who may not list them. */
async function livingOf(client: ZoneClient, user: string): Promise<number> {
  const sessions = await listSessions(client, user).catch((error: unknown) => {
    if (error instanceof Denied) return []
    throw error
  })
  return sessions.filter(({ state }) => state === 'live').length
}

/** The state stands already: what is missing is said, and how to make up for it. */
const endSessions = (terminal: Terminal, client: ZoneClient, user: string): Promise<number> =>
  revokeSessions(client, user).catch((error: unknown) => {
    terminal.error(`${printable(user)} cannot log in any more, but their sessions could not be ended`)
    terminal.error(`End them with ${terminal.invocation} sessions revoke --user ${user}`)
    throw error
  })

/** What a session alone may never do: said before anything is asked for. @throws Usage */
export function demandAuthority(terminal: Terminal, { ownerKey }: OwnerKeyOptions, words: string): void {
  if (terminal.sudo !== undefined || ownerKey !== undefined) return
  throw new Usage('Users are changed by an admin’s sudo, or by the owner key', {
    next: `${terminal.invocation} sudo ${words}; or --owner-key FILE`,
  })
}

export async function writeAsOwnerOrSudo(
  terminal: Terminal, client: ZoneClient, actions: Readonly<Record<string, Change>>, options: ByOwner,
): Promise<number> {
  return transact(client, actions, undefined, await signedByOwner(terminal, client, { actions }, options))
}
