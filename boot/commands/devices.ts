import type { Command } from 'commander'
import { readDeviceBy, type ReadDevice } from '../../actors/read-device.ts'
import { isName, kv, NodeConfig, readRecord, type DeviceDocument } from '../../actors/records.ts'
import { NotFound } from '../../runtime/errors.ts'
import { getItem, listNames } from '../client/kv.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Usage } from '../errors.ts'
import { styleOf, type Style } from '../render.ts'
import { fields, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

export function devicesCommand(terminal: Terminal): Command {
  return group(terminal, 'devices', {
    description: 'Show the devices of a zone: registered by the owner key, or by a join; each with a key of its own',
    examples: ['devices', 'devices show ood1', 'devices list --json'],
  }, [showCommand(terminal)]).addCommand(listCommand(terminal), { isDefault: true })
}

interface Device {
  readonly name: string
  /** Undefined: the document under its name does not verify by the zone's root key. */
  readonly document: DeviceDocument | undefined
  readonly kid: string | undefined
  /** What the scheduler wants of it; undefined before it has said. */
  readonly placement: NodeConfig | undefined
}

async function readDevice(client: ZoneClient, name: string, judge: ReadDevice): Promise<Device | undefined> {
  const [text, config] = await Promise.all([getItem(client, kv.device(name)), getItem(client, kv.node(name))])
  if (!text) return undefined
  const { keys } = client.platform
  const judged = judge(text.value)
  const document = judged?.name === name ? judged : undefined
  return {
    name, document, kid: document && keys.importJwk(document.key).kid,
    placement: config ? readRecord(NodeConfig, kv.node(name), config.value) : undefined,
  }
}

const AT_ONCE = 16

async function readDevices(client: ZoneClient): Promise<readonly Device[]> {
  const judge = readDeviceBy(client.platform.keys, await client.boot())
  const names = await listNames(client, 'devices')
  const found: Device[] = []
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = await Promise.all(names.slice(at, at + AT_ONCE).map((name) => readDevice(client, name, judge)))
    found.push(...some.filter((device) => device !== undefined))
  }
  return found
}

const COLUMNS: readonly Column[] = [
  { head: 'device' }, { head: 'role' }, { head: 'owner' }, { head: 'state' }, { head: 'services', align: 'right' },
  { head: 'key', shrinks: true },
]

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List devices: role, owner, what runs there, and the key',
    examples: ['devices', 'devices list --json'],
  })).action(async (options: ConnectOptions) => {
    const devices = await readDevices(await connect(terminal, options))
    const style = styleOf(terminal.colours)
    show(terminal, options, { devices: devices.map(told) }, () =>
      table(COLUMNS, devices.map((device) => row(device, style)), terminal.columns, style))
  })
}

const servicesOn = ({ placement }: Device): readonly string[] => Object.entries(placement?.services ?? {})
  .filter(([, { target }]) => target === 'running').map(([name]) => name).sort()

const told = (device: Device) => {
  const { name, document, kid, placement } = device
  return {
    name, valid: document !== undefined, role: document?.role ?? null, owner: document?.owner ?? null,
    kid: kid ?? null, since: document?.iat ?? null, state: placement?.state ?? null, services: servicesOn(device),
  }
}

const FORGED = 'its document is signed neither by the root key nor by the enrolment key of the zone'

function row(device: Device, style: Style): readonly Cell[] {
  const { name, document, kid, placement } = device
  return [
    { text: name, paint: style.bold }, { text: document?.role ?? '' }, { text: document?.owner ?? '' },
    { text: placement?.state ?? '' }, { text: String(servicesOn(device).length) },
    document ? { text: kid! } : { text: FORGED, paint: style.bad },
  ]
}

function showCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'show', {
    description: 'Show one device',
    examples: ['devices show ood1', 'devices show node1 --json'],
  })).argument('<name>').action(async (name: string, options: ConnectOptions) => {
    if (!isName(name)) throw new Usage(`It is not the name of a device: ${name}`)
    const client = await connect(terminal, options)
    const device = await readDevice(client, name, readDeviceBy(client.platform.keys, await client.boot()))
    if (!device) throw new NotFound(`There is no such device: ${name}`, { name })
    const { document, kid, placement } = device
    show(terminal, options, told(device), () => fields([
      ['name', name],
      ...(document ? [
        ['role', document.role], ['owner', document.owner], ['key', kid!],
        ['registered', terminal.localTime(document.iat * 1000)],
      ] as const : [['document', FORGED] as const]),
      ['state', placement?.state ?? 'not placed yet'], ['services', servicesOn(device).join(', ') || 'none'],
    ]))
  })
}
