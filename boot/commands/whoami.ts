import type { Command } from 'commander'
import { whoami } from '../client/account.ts'
import { duration, fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

export function whoamiCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'whoami', {
    description: 'Show who you are to the zone: by its own word, not by what is kept here',
    examples: ['whoami', 'whoami --json', 'whoami --user alice'],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const me = await whoami(client)
    const { sub, appid, runtime_type: runtimeType, sid, aud, exp, user_type: type, state, sudo } = me
    const audiences = typeof aud === 'string' ? [aud] : aud
    show(terminal, options, {
      user: sub, type: type ?? null, state: state ?? null, appid, runtimeType, sid: sid ?? null, audiences,
      expires: exp, sudo,
    }, () => fields([
      ['user', sub],
      ...(type ? [['type', type] as const] : []),
      ...(state ? [['state', state] as const] : []),
      ['app', appid],
      ...(sid ? [['session', sid] as const] : []),
      ['for', audiences.join(', ')],
      ['until', until(terminal, exp * 1000, client.platform.clock.now())],
      ...(sudo ? [['sudo', 'yes: by your own key, for this one request'] as const] : []),
    ]))
  })
}

/** The token is renewed by itself for as long as the session lives. */
function until(terminal: Terminal, atMs: number, nowMs: number): string {
  const leftMs = atMs - nowMs
  return `${terminal.localTime(atMs)}${leftMs > 0 ? `, in ${duration(leftMs)}` : ''}`
}
