import type { Command } from 'commander'
import { NotFound, ZonewrightError } from '../../runtime/errors.ts'
import type { Migration } from '../../runtime/migration.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { isPassing } from '../client/follow.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import { beginMigration, planOf, readMigration } from '../client/migration.ts'
import { openZoneClient, type ClientOptions, type ZoneClient } from '../client/zone-client.ts'
import { readConfig } from '../config.ts'
import { Interrupted, NotLoggedIn, Usage, ZoneNotRunning } from '../errors.ts'
import { readCredentials } from '../etcd/credentials.ts'
import { etcdOf } from '../etcd/etcd-config.ts'
import { file } from '../init.ts'
import { readJournal } from '../migrate/journal.ts'
import { moveStores, type EtcdLocation } from '../migrate/move-stores.ts'
import { assertPossible, planMigration } from '../migrate/plan.ts'
import { purgeStores } from '../migrate/purge.ts'
import { styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connectOptions, show } from './connect.ts'
import { migrationLines, planLines, ProgressLine } from './migrate-lines.ts'
import { readConfigured } from './given-files.ts'

interface MigrateOptions extends ClientOptions {
  readonly config?: string
  readonly status?: true
  readonly dryRun?: true
  readonly purge?: true
  readonly json?: true
}

/** Milliseconds between two looks at a zone that moves its stores. */
const LOOK_MS = 250

export function migrateCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'migrate', {
    description: 'Move all stores into the etcd of the config: while the zone serves, or when it does not run',
    examples: [
      'vault migrate --dry-run', 'vault migrate', 'vault migrate --status --json',
      'vault migrate --dir ./zone --config config.yaml', 'vault migrate --purge',
    ],
  }))
    .option('--config <file>', 'of a zone that does not run: the file to read instead of zone.yaml in its folder')
    .option('--status', 'how far it is, or what became of the last one')
    .option('--dry-run', 'what it would do: nothing is changed')
    .option('--purge', 'remove what the stores have left behind in the folder once all of them have been moved')
    .action((options: MigrateOptions) => run(terminal, options))
}

async function run(terminal: Terminal, options: MigrateOptions): Promise<void> {
  const { status, dryRun, purge } = options
  if ([status, dryRun, purge].filter(Boolean).length > 1) {
    throw new Usage('--status, --dry-run and --purge are three commands', { next: 'Give one of them' })
  }
  const platform = await openPlatform()
  if (status) return tellStatus(terminal, platform, options)
  if (purge) return tellPurged(terminal, platform, options)
  const client = await clientOf(terminal, platform, options)
  if (client && options.config !== undefined) {
    throw new Usage('The zone runs, and reads its own config: --config is for one that does not', {
      next: 'Leave --config out, or stop the zone first',
    })
  }
  const style = styleOf(terminal.colours)
  if (dryRun) {
    const plan = await (client ? planOf(client) : closed(terminal, platform, options, planMigration))
    // One object is printed: that of the plan, or of what is in its way
    if (options.json) assertPossible(plan)
    if (plan.error === null) show(terminal, options, plan, () => planLines(plan, terminal, style))
    return assertPossible(plan)
  }
  const line = new ProgressLine(terminal, options, style)
  const migration = await (client ? follow(terminal, client, line) : moveClosed(terminal, platform, options, line))
    .finally(() => line.end())
  show(terminal, options, migration, () => migrationLines(migration, terminal, style, platform.clock.now()))
}

/** Undefined where no zone runs from the folder. */
async function clientOf(
  terminal: Terminal, platform: Platform, options: MigrateOptions,
): Promise<ZoneClient | undefined> {
  try {
    return await openZoneClient(terminal, platform, options)
  } catch (error) {
    if (error instanceof ZoneNotRunning && options.url === undefined) return undefined
    throw error
  }
}

/** By the zone; by whoever has its folder also where it does not run, or nobody is logged in. */
async function tellStatus(terminal: Terminal, platform: Platform, options: MigrateOptions): Promise<void> {
  const client = await clientOf(terminal, platform, options)
  const asked = client && await readMigration(client).catch((error: unknown) => {
    if (error instanceof NotLoggedIn && options.url === undefined) return undefined
    throw error
  })
  const files = options.url === undefined ? await folderOf(platform, options) : undefined
  const migration = asked ?? (files && await readJournal(files))
  if (!migration) {
    throw new NotFound('No store was ever moved', { next: `${terminal.invocation} vault migrate --dry-run` })
  }
  show(terminal, options, migration, () =>
    migrationLines(migration, terminal, styleOf(terminal.colours), platform.clock.now()))
}

async function tellPurged(terminal: Terminal, platform: Platform, options: MigrateOptions): Promise<void> {
  const purged = await purgeStores(await folderOf(platform, options))
  show(terminal, options, { purged }, () => [purged.length === 0 ? 'Nothing was left behind'
    : `Removed what was left behind of ${purged.join(', ')}: all of it is in etcd`])
}

/** Asks again and again: the move is the zone's, and goes on without us. */
async function follow(terminal: Terminal, client: ZoneClient, line: ProgressLine): Promise<Migration> {
  const { clock } = client.platform
  let interrupted: string | undefined
  void terminal.interrupted().then((signal) => { interrupted = signal })
  for (let migration = await beginMigration(client); ;) {
    line.show(migration, clock.now())
    if (migration.state === 'done') return migration
    if (migration.state === 'failed') throw failureOf(migration)
    if (interrupted !== undefined) {
      throw new Interrupted(`Interrupted by ${interrupted}: the zone goes on with it`, {
        next: `${terminal.invocation} vault migrate --status`,
      })
    }
    await new Promise<void>((resolve) => { clock.after(LOOK_MS, resolve) })
    // Those on the way change their place as well
    migration = await readMigration(client).catch((error: unknown) => {
      if (isPassing(error)) return migration
      throw error
    }) ?? migration
  }
}

const failureOf = ({ error }: Migration): Error =>
  new ZonewrightError(error?.code ?? 'Internal', error?.message ?? 'The move failed', { next: error?.next ?? '' })

type Closed = { readonly platform: Platform; readonly files: Files; readonly to: EtcdLocation }

/** With the folder for us alone: no zone runs from it. @throws FolderInUse */
async function closed<T>(
  terminal: Terminal, platform: Platform, options: MigrateOptions,
  work: (parts: Closed & { readonly host: string }) => Promise<T>,
): Promise<T> {
  const { config: { path, text }, folder } = await readConfigured(terminal, options)
  const { config } = readConfig(text, path)
  const files = await platform.host.openFolder(folder)
  const { endpoints, prefix } = etcdOf(config, path)
  const unlock = await files.lock(file.lock)
  try {
    const { etcd: credentials } = await readCredentials(platform, files, config)
    const to: EtcdLocation = { type: 'etcd', endpoints, prefix: `${prefix}/${config.zone}`, credentials }
    return await work({ platform, files, to, host: config.host })
  } finally {
    await unlock()
  }
}

const moveClosed = (
  terminal: Terminal, platform: Platform, options: MigrateOptions, line: ProgressLine,
): Promise<Migration> => closed(terminal, platform, options, async (parts) => {
  assertPossible(await planMigration(parts))
  const stop = new AbortController()
  void terminal.interrupted().then(() => stop.abort())
  const release = platform.host.hold()
  try {
    return await moveStores({
      ...parts, signal: stop.signal, onProgress: (migration) => line.show(migration, platform.clock.now()),
    })
  } finally {
    release()
  }
})

const folderOf = (platform: Platform, { dir = DEFAULT_DIR }: MigrateOptions): Promise<Files> =>
  platform.host.openFolder(dir)
