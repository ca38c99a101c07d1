import { Argument, Option, type Command } from 'commander'
import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import { prepareHubKey, readHubKeys, stageOf, type HubKeys, type Stage } from '../client/keys.ts'
import { getItem, transact } from '../client/kv.ts'
import { until } from '../client/until.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { KeyInUse, NotAZone } from '../errors.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { signedByOwner, type OwnerKeyOptions } from './owner-signs.ts'

interface RotateOptions extends ConnectOptions, OwnerKeyOptions {
  readonly ownerKey: string
  readonly stage?: 'announce' | 'retire'
  readonly now?: true
  readonly json?: true
}

/** Longer than the new key waits before it signs, and than a restart of verify-hub beside that. */
const WAIT_MS = 60_000

export function keysCommand(terminal: Terminal): Command {
  return group(terminal, 'keys', {
    description: 'Show the keys that sign sessions, and replace them',
    examples: ['keys', 'keys rotate verify-hub --owner-key ./.zone/owner.key'],
  }, [rotateCommand(terminal)]).addCommand(listCommand(terminal), { isDefault: true })
}

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'Show the keys of verify-hub, at which stage their rotation is, and what comes next',
    examples: ['keys list', 'keys list --json'],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    tell(terminal, client, options, await readHubKeys(client), false)
  })
}

function rotateCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'rotate', {
    description: 'Replace a key in two steps, with both accepted in between; what was interrupted goes on',
    examples: [
      'keys rotate verify-hub --owner-key ./.zone/owner.key',
      'keys rotate verify-hub --owner-key ./.zone/owner.key --stage retire --now',
    ],
  }))
    .addArgument(new Argument('<key>').choices(['verify-hub']))
    .requiredOption('--owner-key <file>', 'signs the change of boot/config, and is not kept')
    .option('--owner-passphrase-file <file>', 'its first line opens the owner key; - is stdin')
    .addOption(new Option('--stage <stage>', 'default: what comes next').choices(['announce', 'retire']))
    .option('--now', 'retire the old key although tokens by it may be good: their sessions end')
    .option('--yes', 'sign without being asked')
    .action((_name: string, options: RotateOptions) => runRotate(terminal, options))
}

async function runRotate(terminal: Terminal, options: RotateOptions): Promise<void> {
  const client = await connect(terminal, options)
  const before = await readHubKeys(client)
  const named = before.keys.filter((key) => key.named)
  const stage = options.stage ?? (named.length > 1 ? 'retire' : 'announce')
  const changed = stage === 'announce'
    ? named.length === 1 && await announce(terminal, client, options)
    : named.length > 1 && await retire(terminal, client, options)
  const isDone = stage === 'announce' ? isSigning : isAlone
  const after = await until(client, WAIT_MS, async () => {
    const keys = await readHubKeys(client)
    return isDone(keys) ? keys : undefined
  })
  tell(terminal, client, options, after ?? await readHubKeys(client), changed)
}

const isSigning = (keys: HubKeys): boolean => stageOf(keys) === 'new key signs'
const isAlone = (keys: HubKeys): boolean => ['one key', 'prepared'].includes(stageOf(keys))

async function announce(terminal: Terminal, client: ZoneClient, options: RotateOptions): Promise<boolean> {
  const { jwk } = await prepareHubKey(client)
  const { config, revision } = await bootConfig(client)
  if (config.verifyHub.some(({ x }) => x === jwk.x)) return false
  return await write(terminal, client, options, { ...config, verifyHub: [...config.verifyHub, jwk] }, revision)
}

async function retire(terminal: Terminal, client: ZoneClient, options: RotateOptions): Promise<boolean> {
  const keys = await until(client, WAIT_MS, async () => {
    const found = await readHubKeys(client)
    return isSigning(found) ? found : undefined
  })
  const newest = keys?.keys.at(-1)
  if (!keys || !newest) {
    throw new KeyInUse('The new key does not sign yet', { next: `${terminal.invocation} keys list` })
  }
  const leftMs = lifeLeft(client, keys)
  if (leftMs > 0 && !options.now) {
    throw new KeyInUse(`Refresh tokens by the old key may be good for another ${duration(leftMs)}`, {
      until: keys.retire_after,
      next: 'Wait until then, or say --now: sessions that were not refreshed since the new key signs end then, '
        + 'and people log in again',
    })
  }
  // Our own session as well: its tokens may be by the old key
  await client.session.renewed(await client.session.token())
  const { config, revision } = await bootConfig(client)
  const verifyHub = config.verifyHub.filter(({ x }) => x === newest.jwk.x)
  if (verifyHub.length !== 1 || config.verifyHub.length === 1) return false
  return await write(terminal, client, options, { ...config, verifyHub }, revision)
}

const lifeLeft = ({ platform }: ZoneClient, { retire_after: after }: HubKeys): number =>
  (after === null ? Infinity : Math.max(0, after * 1000 - platform.clock.now()))

/** As it is now. */
async function bootConfig(client: ZoneClient): Promise<{ config: BootConfig; revision: number }> {
  const item = await getItem(client, kv.bootConfig)
  if (!item) throw new NotAZone(`There is no ${kv.bootConfig} to read`)
  return { config: readRecord(BootConfig, kv.bootConfig, item.value), revision: item.revision }
}

/** Only if nobody has changed it since it was read. */
async function write(
  terminal: Terminal, client: ZoneClient, options: RotateOptions, next: BootConfig, revision: number,
): Promise<boolean> {
  const actions = { [kv.bootConfig]: { action: 'update', value: JSON.stringify(next) } }
  const guard = { key: kv.bootConfig, revision }
  const token = await signedByOwner(terminal, client, { actions, guard }, options)
  await transact(client, actions, guard, token)
  return true
}

const COLUMNS: readonly Column[] = [
  { head: 'version', align: 'right' }, { head: 'key' }, { head: 'accepted' }, { head: 'signs' }, { head: 'made' },
]

function tell(
  terminal: Terminal, client: ZoneClient, options: ConnectOptions, keys: HubKeys, changed: boolean,
): void {
  const stage = stageOf(keys)
  const { signs_since_ms: signsSinceMs, retire_after: retireAfter } = keys
  const shown = keys.keys.map(({ kid, version, created_ms: createdMs, named, signs }) =>
    ({ kid, version, createdMs, accepted: named, signs }))
  show(terminal, options, { key: 'verify-hub', stage, changed, keys: shown, signsSinceMs, retireAfter }, () => {
    const style = styleOf(terminal.colours)
    return [
      ...table(COLUMNS, keys.keys.map(({ kid, version, created_ms: createdMs, named, signs }) => [
        { text: String(version) }, { text: kid, paint: style.bold }, { text: named ? 'yes' : 'no' },
        { text: signs ? 'yes' : 'no' }, { text: terminal.localTime(createdMs) },
      ]), terminal.columns, style),
      '', ...nextLines(terminal, client, keys, stage, style),
    ]
  })
}

function nextLines(
  { invocation }: Terminal, client: ZoneClient, keys: HubKeys, stage: Stage, style: Style,
): readonly string[] {
  const rotate = `  ${invocation} keys rotate verify-hub --owner-key FILE`
  const leftMs = keys.retire_after === null ? 0 : lifeLeft(client, keys)
  const lines: Readonly<Record<Stage, readonly string[]>> = {
    'one key': ['To replace it, its owner key announces the next one:', rotate],
    'prepared': ['A new key is prepared, and nobody accepts it yet. To announce it:', rotate],
    'announced': ['Both are accepted. The new one signs as soon as everybody must know it: seconds.'],
    'new key signs': leftMs > 0
      ? [`Both are accepted. In ${duration(leftMs)} the last refresh token by the old one has expired; then:`, rotate]
      : ['Both are accepted, and no token by the old one is good any more. To retire it:', rotate],
    'old key ends': ['The old one is accepted no more, and is being destroyed.'],
  }
  return [`${style.bold(stage)}  ${lines[stage][0]}`, ...lines[stage].slice(1)]
}
