import type { Command } from 'commander'
import { readNodes, type NodeEntry } from '../client/certificates.ts'
import { readUse, type Use } from '../client/use.ts'
import { NotHealthy } from '../errors.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

export function nodesCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'nodes', {
    description: 'Show which hosts are up, by what each tells of itself; the zone has to run its node monitor',
    examples: ['nodes', 'nodes --json', 'nodes --check && echo "all up"'],
  }))
    .option('--check', 'fail when a host is not up')
    .action(async (options: ConnectOptions & { readonly check?: true }) => {
      const client = await connect(terminal, options)
      const nodes = await readNodes(client)
      const uses = await readUse(client, nodes)
      const now = client.platform.clock.now()
      const style = styleOf(terminal.colours)
      show(terminal, options, { nodes: nodes.map((node) => ({ ...node, use: uses.get(node.name) })) }, () =>
        table(COLUMNS, nodes.map((node) => row(node, uses.get(node.name)!, now, style)), terminal.columns, style))
      const missing = nodes.filter(({ state }) => state !== 'up')
      if (!options.check || missing.length === 0) return
      const names = missing.slice(0, 5).map(({ name, state }) => `${name} is ${state}`).join('; ')
      throw new NotHealthy(`${missing.length} of ${nodes.length} hosts are not up: ${names}`, {
        next: `${terminal.invocation} ps`, shown: true,
      })
    })
}

const COLUMNS: readonly Column[] = [
  { head: 'host' }, { head: 'role' }, { head: 'state' }, { head: 'for', align: 'right' },
  { head: 'heard', align: 'right' }, { head: 'load', align: 'right' }, { head: 'memory free', align: 'right' },
  { head: 'disk free', align: 'right' }, { head: 'runtime' }, { head: 'placed', align: 'right' },
  { head: 'of memory', align: 'right' }, { head: 'of processors', align: 'right' },
  { head: 'labels', shrinks: true }, { head: 'at', shrinks: true },
]

const share = (part: number, whole: number): string => (whole === 0 ? '' : `${Math.round(100 * part / whole)} %`)

function row(
  { name, role, state, since, lastSeen, info }: NodeEntry, { services, memoryBytes, processors, capacity, wanted }: Use,
  now: number, style: Style,
): readonly Cell[] {
  const as = wanted && wanted !== 'running' ? `${state}, ${wanted}` : state
  return [
    { text: name, paint: style.bold }, { text: role },
    { text: as, paint: state === 'up' ? style.good : style.bad },
    { text: duration(Math.max(0, now - since)) },
    { text: lastSeen === null ? 'never' : `${duration(Math.max(0, now - lastSeen))} ago` },
    { text: info ? (info.load / 100).toFixed(2) : '' },
    { text: info ? share(info.memoryFreeBytes, info.memoryBytes) : '' },
    { text: info ? share(info.diskFreeBytes, info.diskBytes) : '' }, { text: info?.runtime ?? '' },
    { text: String(services) }, { text: capacity ? share(memoryBytes, capacity.memoryBytes) : '' },
    { text: capacity ? share(processors, capacity.processors) : '' },
    { text: Object.entries(info?.labels ?? {}).map(([label, value]) => `${label}=${value}`).join(' ') },
    { text: info?.addresses.join(', ') ?? '' },
  ]
}
