import type { Command } from 'commander'
import type { JoinToken } from '../../actors/vault/protocol.ts'
import { joinTokensOf } from '../client/join-tokens.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf } from '../render.ts'
import { duration, table, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

export function joinTokensCommand(terminal: Terminal): Command {
  return group(terminal, 'join-tokens', {
    description: 'Show and revoke the tokens that hosts join by; `gen join-token` makes one',
    examples: ['join-tokens', 'join-tokens --json', 'join-tokens revoke ID'],
  }, [revokeCommand(terminal)]).addCommand(listCommand(terminal), { isDefault: true })
}

const COLUMNS: readonly Column[] = [
  { head: 'token' }, { head: 'host' }, { head: 'state' }, { head: 'ends in' }, { head: 'from' }, { head: 'by' },
  { head: 'refused', align: 'right' }, { head: 'certificate', shrinks: true },
]

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List join tokens, and what became of them; never the tokens themselves',
    examples: ['join-tokens list', 'join-tokens list --json'],
    exits: [14, 17, 18],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const tokens = await joinTokensOf(terminal, client, options.dir).list()
    const now = client.platform.clock.now()
    const style = styleOf(terminal.colours)
    show(terminal, options, { tokens }, () => (tokens.length === 0 ? ['There is none']
      : table(COLUMNS, tokens.map((token) => row(token, now, style.good)), terminal.columns, style)))
  })
}

const row = (token: JoinToken, now: number, good: (text: string) => string) => {
  const { id, host, state, expiresAt, cidr = 'anywhere', createdBy, refused, serial = '' } = token
  return [
    { text: id }, { text: host }, { text: state, ...(state === 'open' ? { paint: good } : {}) },
    { text: state === 'open' ? duration(expiresAt - now) : '' }, { text: cidr }, { text: createdBy },
    { text: String(refused) }, { text: serial },
  ]
}

function revokeCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'revoke', {
    description: 'Revoke a join token: nobody joins by it any more, nor gets again what it gave',
    examples: ['join-tokens revoke ID', 'join-tokens revoke ID --json'],
    exits: [14, 20],
  }))
    .argument('<id>', 'as `join-tokens` lists it')
    .action(async (id: string, options: ConnectOptions) => {
      if (!/^[0-9a-f]{20}$/.test(id)) {
        throw new Usage(`It is not the id of a join token: ${id}`, { next: `${terminal.invocation} join-tokens` })
      }
      const client = await connect(terminal, options)
      const token = await joinTokensOf(terminal, client, options.dir).revoke(id)
      show(terminal, options, token, () => [`Revoked: ${printable(id)}, for ${token.host}`])
    })
}
