import type { Command } from 'commander'
import { readHosts, type ActorState, type SeenHost } from '../client/hosts.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

export function psCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'ps', {
    description: 'Show the hosts of a running zone and what runs on them',
    examples: ['ps', 'ps node2', 'ps --json'],
  }))
    .argument('[host]', 'this host only')
    .action(async (host: string | undefined, options: ConnectOptions) => {
      const client = await connect(terminal, options)
      const hosts = await readHosts(client, host)
      const style = styleOf(terminal.colours)
      const now = client.platform.clock.now()
      show(terminal, options, { hosts }, () => table(COLUMNS, rowsOf(hosts, now, style), terminal.columns, style))
    })
}

const COLUMNS: readonly Column[] = [
  { head: 'host' }, { head: 'actor' }, { head: 'kind' }, { head: 'state' }, { head: 'for', align: 'right' },
  { head: 'restarts', align: 'right' }, { head: 'process', align: 'right' }, { head: 'reason' },
]

function rowsOf(hosts: readonly SeenHost[], now: number, style: Style): readonly (readonly Cell[])[] {
  return hosts.flatMap((host) => [
    [
      { text: host.host, paint: style.bold }, { text: '' }, { text: host.role }, stateCell(host.state, style),
      { text: '' }, { text: host.remote ? '' : String(Math.max(0, host.starts - 1)) }, { text: '' },
      { text: host.remote ? heard(host, now) : host.reason, paint: style.dim },
    ],
    ...host.actors.map((actor) => [
      { text: host.host, paint: style.dim }, { text: actor.name }, { text: actor.kind }, stateCell(actor.state, style),
      { text: age(actor, now) }, { text: String(actor.restarts) },
      { text: actor.processId === null ? '' : String(actor.processId) }, { text: actor.reason, paint: style.dim },
    ]),
  ])
}

/** A host of another machine is seen by what it tells of itself, every few seconds and when that changes. */
const heard = ({ lastSeen }: SeenHost, now: number): string =>
  (lastSeen === null ? 'never heard of' : `told ${duration(Math.max(0, now - lastSeen))} ago`)

export const age = ({ since }: ActorState, now: number): string =>
  (since === 0 ? '' : duration(Math.max(0, now - since)))

export function stateCell(state: ActorState['state'] | SeenHost['state'], style: Style): Cell {
  if (state === 'serving') return { text: state, paint: style.good }
  if (state === 'failed' || state === 'restarting' || state === 'down') return { text: state, paint: style.bad }
  return { text: state }
}
