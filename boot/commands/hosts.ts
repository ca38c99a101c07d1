import type { Command } from 'commander'
import type { HostTold } from '../../actors/enrolment/protocol.ts'
import { isName } from '../../actors/records.ts'
import { readNodes, type NodeEntry } from '../client/certificates.ts'
import { joinedHostsOf } from '../client/joined-hosts.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Interrupted, Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { documentStands, removeDocument } from './device-document.ts'
import { approveCommand, pendingCommand, refuseCommand } from './host-requests.ts'
import { ownerKeyOptions, type OwnerKeyOptions } from './owner-signs.ts'

export function hostsCommand(terminal: Terminal): Command {
  return group(terminal, 'hosts', {
    description: 'Show the hosts that joined the zone, and decide which become OODs of it',
    examples: ['hosts', 'hosts --json', 'hosts pending', 'hosts approve ood2 --owner-key ./.zone/owner.key'],
  }, [pendingCommand(terminal), approveCommand(terminal), refuseCommand(terminal)])
    .addCommand(listCommand(terminal), { isDefault: true })
}

type Seen = Pick<NodeEntry, 'state' | 'lastSeen'>

const COLUMNS: readonly Column[] = [
  { head: 'host' }, { head: 'role' }, { head: 'state' }, { head: 'joined', align: 'right' }, { head: 'token' },
  { head: 'certificate ends', align: 'right' }, { head: 'heard', align: 'right' },
  { head: 'certificate', shrinks: true },
  { head: 'device key', shrinks: true },
]

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List the hosts that joined: role, device key, certificate, token, and when they were heard of last',
    examples: ['hosts list', 'hosts list --json'],
    exits: [14, 17, 18],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const hosts = await joinedHostsOf(terminal, client, options.dir).list()
    const seen = await seenBy(client)
    const now = client.platform.clock.now()
    const style = styleOf(terminal.colours)
    const told = hosts.map((host) => ({ ...host, seen: seen?.get(host.host) ?? null }))
    show(terminal, options, { hosts: told }, () => (told.length === 0 ? ['None has joined']
      : table(COLUMNS, told.map((host) => row(host, now, style)), terminal.columns, style)))
  })
}

/** What the node monitor knows. A zone that runs none, or lets this session not ask, has nothing to say of it. */
async function seenBy(client: ZoneClient): Promise<ReadonlyMap<string, Seen> | undefined> {
  try {
    return new Map((await readNodes(client)).map(({ name, state, lastSeen }) => [name, { state, lastSeen }]))
  } catch {
    return undefined
  }
}

function row(host: HostTold & { readonly seen: Seen | null }, now: number, style: Style): readonly Cell[] {
  const { host: name, role, joinedAt, token, notAfter, serial, device, revokedAt, seen } = host
  const ago = (at: number): string => `${duration(Math.max(0, now - at))} ago`
  const state = revokedAt !== undefined ? `revoked ${ago(revokedAt)}` : seen?.state ?? 'joined'
  const ends = notAfter === undefined ? '' : notAfter < now ? ago(notAfter) : `in ${duration(notAfter - now)}`
  return [
    { text: name, paint: style.bold }, { text: role },
    { text: state, ...(revokedAt === undefined ? {} : { paint: style.bad }) }, { text: ago(joinedAt) }, { text: token },
    { text: ends }, { text: seen === null ? '' : seen.lastSeen === null ? 'never' : ago(seen.lastSeen) },
    { text: serial }, { text: device },
  ]
}

export function revokeCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'revoke', {
    description: 'Revoke a host that joined: its certificates, its registration and its sessions end',
    examples: ['revoke node1', 'revoke node1 --yes --json', 'revoke ood2 --owner-key ./.zone/owner.key'],
    exits: [14, 15, 20],
  })), 'of an OOD: signs a root token that takes its device document away; is not kept')
    .argument('<host>', 'as `hosts` lists it')
    .action(async (host: string, options: ConnectOptions & OwnerKeyOptions) => {
      if (!isName(host)) {
        throw new Usage(`It is no name of a host: ${host}`, { next: `${terminal.invocation} hosts` })
      }
      await confirmed(terminal, host, options)
      const client = await connect(terminal, options)
      const revoked = await joinedHostsOf(terminal, client, options.dir).revoke(host)
      // The zone may take no document away that the owner signed
      const stands = revoked.role === 'ood' && await removeDocument(terminal, client, host, options)
      show(terminal, options, { ...revoked, documentStands: stands }, () => [
        `Revoked: ${printable(host)}, certificate ${revoked.serial}`,
        ...(stands ? documentStands(terminal, host, `revoke ${host}`) : []),
        revoked.role === 'client-device' ? 'This device alone comes back under its name, by another join token'
          : `It comes back only by another join token: ${terminal.invocation} gen join-token --host ${printable(host)}`,
      ])
    })
}

/** @throws Usage, Interrupted */
async function confirmed(terminal: Terminal, host: string, { yes }: { readonly yes?: true }): Promise<void> {
  if (yes) return
  if (!terminal.interactive) {
    throw new Usage('There is no terminal to ask whether to revoke', { next: 'Revoke without being asked: --yes' })
  }
  const answer = await terminal.ask(`Revoke ${printable(host)}? Its services stop, and it is out of the zone [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('Not revoked: nothing was changed')
}
