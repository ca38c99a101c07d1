import { Option, type Command } from 'commander'
import { NotFound } from '../../runtime/errors.ts'
import { listSessions, revokeSession, revokeSessions, type SessionState } from '../client/account.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, show, whereOptions, type ConnectOptions } from './connect.ts'

export function sessionsCommand(terminal: Terminal): Command {
  return group(terminal, 'sessions', {
    description: 'Show and end login sessions: your own, or as an admin those of others',
    examples: ['sessions', 'sessions list --user bob', 'sessions revoke SID', 'sessions revoke --user bob'],
  }, [revokeCommand(terminal)]).addCommand(listCommand(terminal), { isDefault: true })
}

/** Here `user` is whose sessions are meant; who asks is who logged in last. */
interface SessionsOptions extends ConnectOptions {
  readonly all?: true
}

const connectAsMe = (terminal: Terminal, { user: _, ...options }: ConnectOptions): Promise<ZoneClient> =>
  connect(terminal, options)

function listCommand(terminal: Terminal): Command {
  return whereOptions(command(terminal, 'list', {
    description: 'List sessions that live or have ended lately',
    examples: ['sessions', 'sessions list --user bob', 'sessions list --all --json'],
  }))
    .addOption(new Option('--user <name>', 'of this user; default: your own').conflicts('all'))
    .option('--all', 'of everybody, as far as you may see them')
    .action(async (options: SessionsOptions) => {
      const client = await connectAsMe(terminal, options)
      const sessions = await listSessions(client, options.all ? EVERYBODY : options.user)
      const nowMs = client.platform.clock.now()
      const style = styleOf(terminal.colours)
      show(terminal, options, { sessions: sessions.map(told) }, () => (sessions.length === 0 ? ['There is none']
        : table(COLUMNS, sessions.map((session) => row(terminal, session, nowMs, style)), terminal.columns, style)))
    })
}

const told = ({ sid, sub, appid, runtime_type: runtimeType, host, holder, created_ms: createdMs, ...rest }:
SessionState) => {
  const { expires, state, reason, current } = rest
  return { sid, user: sub, appid, runtimeType, host, holder, createdMs, expires, state, reason, current }
}

/** As verify-hub calls them. */
const EVERYBODY = '*'

const COLUMNS: readonly Column[] = [
  { head: 'session' }, { head: 'of' }, { head: 'app' }, { head: 'as' }, { head: 'host' }, { head: 'since' },
  { head: 'ends in' }, { head: 'state' }, { head: 'reason', shrinks: true },
]

function row(terminal: Terminal, session: SessionState, nowMs: number, style: Style): readonly Cell[] {
  const leftMs = session.expires * 1000 - nowMs
  const isLive = session.state === 'live'
  return [
    { text: session.sid, ...(session.current ? { paint: style.bold } : {}) }, { text: session.sub },
    { text: session.appid }, { text: session.runtime_type }, { text: session.host ?? '' },
    { text: terminal.localTime(session.created_ms) }, { text: isLive && leftMs > 0 ? duration(leftMs) : '' },
    { text: session.state, paint: isLive ? style.good : style.bad },
    { text: session.current ? 'this one' : session.reason },
  ]
}

const SID = /^[A-Za-z0-9_-]{1,64}$/

function revokeCommand(terminal: Terminal): Command {
  return whereOptions(command(terminal, 'revoke', {
    description: 'End sessions at once: one, all of a user, or all of your own',
    examples: ['sessions revoke SID', 'sessions revoke --user bob', 'sessions revoke --all'],
  }))
    .argument('[sid]', 'as `sessions` lists it')
    .option('--user <name>', 'all sessions of this user')
    .option('--all', 'all of your own, this one as well: you are logged out')
    // Of the numbers of sessions one in 64 begins like an option
    .allowUnknownOption()
    .action((sid: string | undefined, options: SessionsOptions) => runRevoke(terminal, sid, options))
}

async function runRevoke(terminal: Terminal, sid: string | undefined, options: SessionsOptions): Promise<void> {
  const { user: of, all } = options
  if ([sid, of, all].filter((given) => given !== undefined).length !== 1) {
    throw new Usage('Which session? Give one number, or --user NAME, or --all', {
      next: `${terminal.invocation} sessions lists them`,
    })
  }
  if (sid !== undefined && !(SID.test(sid) && !sid.startsWith('--'))) {
    throw new Usage(`It is not the number of a session: ${sid}`, { next: `${terminal.invocation} sessions lists them` })
  }
  const client = await connectAsMe(terminal, options)
  if (sid !== undefined) {
    if (!await revokeSession(client, sid)) throw new NotFound(`No such session lives: ${sid}`, { sid })
    return show(terminal, options, { sid, ended: 1 }, () => [`Ended: ${printable(sid)}`])
  }
  const user = of ?? await client.user()
  const ended = await revokeSessions(client, user)
  if (all) await client.session.logout()
  show(terminal, options, { user, ended }, () => [endedLine(user, ended)])
}

export const endedLine = (user: string, ended: number): string =>
  `${ended} ${ended === 1 ? 'session' : 'sessions'} of ${printable(user)} ended`
