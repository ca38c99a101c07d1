import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { createTrace, type Trace } from '../../runtime/trace.ts'
import { diagram } from '../diagram.ts'
import { Interrupted, OwnerKeyNeeded } from '../errors.ts'
import type { GivenOwnerKey } from '../grow.ts'
import { layoutOf, stepRow, tableHead, tableRow, type StepRow, type Style } from '../render.ts'
import { bootSequence } from '../sequences.ts'
import type { Terminal } from '../terminal.ts'
import { up, type RunningZone, type UpOptions } from '../up.ts'
import { wholeNumber } from './command.ts'
import { FOLDER_OPTION, readGiven, type GivenFiles } from './given-files.ts'
import { stepZero } from './step-zero.ts'

/** What `up` and `prove` are told on the command line. */
export interface ZoneOptions extends GivenFiles {
  readonly nodes?: number
  readonly ownerKey?: string
  readonly json?: true
  readonly diagram?: true
  readonly debug?: true
}

/** Options of every command that boots a zone. */
export const zoneOptions = (of: Command): Command => of
  .option('--dir <folder>', FOLDER_OPTION)
  .option('--config <file>', 'read this file instead of zone.yaml in the folder')
  .option('--port <number>', 'port of the gateway; 0 takes a free one', wholeNumber(0, 65_535))
  .option('--nodes <number>', 'hosts beside the first one that this process runs', wholeNumber(0, 1_000))
  .option('--otlp <url>', 'send OpenTelemetry traces to this collector: http://127.0.0.1:4318')
  .option('--owner-key <file>', 'signs for nodes that the folder has not had before; says what, before it does')
  .option('--owner-passphrase-file <file>', 'its first line encrypts the owner key, or opens it')
  .option('--diagram', 'print the steps as a mermaid sequence diagram')

export type Say = (line: string) => void

/** Where lines for a person go: with --json nowhere, so that the object stands alone. */
export const sayTo = (terminal: Terminal, { json }: { readonly json?: true }): Say =>
  (json ? () => {} : (line) => terminal.out(line))

export interface BootedZone {
  readonly zone: RunningZone
  readonly platform: Platform
  /** As it was named. */
  readonly folder: string
  /** The steps as they happened. */
  rows(): readonly StepRow[]
  /** The same in mermaid. */
  diagram(): string
  /** Stops in reverse order, telling each actor as it stops. */
  stop(): Promise<void>
}

/** Boots the zone of a folder and shows each step as it completes. @throws what `up` throws, Interrupted */
export async function bootZone(terminal: Terminal, options: ZoneOptions, style: Style): Promise<BootedZone> {
  const say = sayTo(terminal, options)
  const booting = interruption(terminal)
  const platform = await openPlatform()
  const given = await readGiven(terminal, options)
  const trace = createTrace()
  const layout = layoutOf(bootSequence, terminal.columns)
  const rows = collectSteps(trace, platform.clock.now(), (row) => {
    for (const line of tableRow(row, layout, style)) say(line)
  })
  if (options.debug) tellActors(trace, terminal)
  const zone = await up({
    ...given, platform, trace, ...await clusterOptions(terminal, options),
    onProgress: (progress) => {
      for (const line of stepZero(progress, options, style)) say(line)
      if (progress.type === 'identity') for (const line of tableHead(layout, style)) say(line)
    },
  })
  const unrestricted = terminal.workersUnrestricted()
  if (unrestricted !== undefined) terminal.error(`note: ${unrestricted}`)
  const stop = (): Promise<void> => stopZone(zone, say, style)
  const signal = booting.over()
  if (signal !== undefined) {
    await stop()
    throw new Interrupted(`Interrupted by ${signal} during the boot`, { next: 'Run it again: what was done is kept' })
  }
  return {
    zone, platform, folder: given.folder, rows, stop,
    diagram: () => diagram(`${bootSequence.title}: ${zone.config.zone}`, rows()),
  }
}

async function clusterOptions(
  terminal: Terminal, { nodes, ownerKey }: ZoneOptions,
): Promise<Pick<UpOptions, 'nodes' | 'ownerKey'>> {
  return {
    ...(nodes === undefined ? {} : { nodes }),
    ...(ownerKey === undefined ? {} : { ownerKey: await readOwnerKey(terminal, terminal.absolute(ownerKey)) }),
  }
}

/** @throws OwnerKeyNeeded */
export async function readOwnerKey(terminal: Terminal, path: string): Promise<GivenOwnerKey> {
  const pem = await terminal.read(path).catch((error: Error & { code?: string }) => {
    throw new OwnerKeyNeeded(`The owner key cannot be read: ${path} (${error.code})`, {
      path, next: 'Give the path of owner.key with --owner-key',
    })
  })
  return { path, pem }
}

/** A boot that is under way is not cut: it takes a second, and stops in order. */
function interruption(terminal: Terminal) {
  let signal: string | undefined
  let isOver = false
  void terminal.interrupted().then((name) => {
    signal = name
    if (!isOver) terminal.error(`${name}: stopping as soon as the boot is through; once more to exit at once`)
  })
  return {
    over(): string | undefined {
      isOver = true
      return signal
    },
  }
}

function collectSteps(trace: Trace, beganMs: number, show: (row: StepRow) => void): () => readonly StepRow[] {
  const rows: StepRow[] = []
  trace.on('step', (event) => {
    const row = stepRow(event, beganMs)
    if (!row) return
    rows.push(row)
    show(row)
  })
  // Told by several workers: the order of arrival may differ a little from the order of events
  return () => [...rows].sort((a, b) => a.atMs - b.atMs || a.number - b.number)
}

/** With --debug: every actor's states. */
function tellActors(trace: Trace, terminal: Terminal): void {
  const why = (reason: string): string => (reason === '' ? '' : `: ${reason}`)
  trace.on('actor', ({ host, actor, state, incarnation, reason }) =>
    terminal.error(`debug: ${host}/${actor}/${incarnation} ${state}${why(reason)}`))
  trace.on('host', ({ host, state, starts, reason }) =>
    terminal.error(`debug: ${host} ${state}, start ${starts}${why(reason)}`))
}

async function stopZone(zone: RunningZone, say: Say, style: Style): Promise<void> {
  zone.trace.on('actor', ({ host, actor, state }) => {
    if (state === 'stopped' && host === zone.config.host) say(`  ${style.dim('stopped')}  ${actor}`)
  })
  zone.trace.on('host', ({ host, state }) => {
    if (state === 'stopped' && host !== zone.config.host) say(`  ${style.dim('stopped')}  ${host}`)
  })
  await zone.stop()
}
