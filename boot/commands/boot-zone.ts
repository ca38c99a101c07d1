import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { createTrace, type Trace } from '../../runtime/trace.ts'
import { diagram } from '../diagram.ts'
import { Interrupted, OwnerKeyNeeded } from '../errors.ts'
import { usesEtcd } from '../etcd/elsewhere.ts'
import type { EtcdProgress } from '../etcd/start.ts'
import type { GivenOwnerKey } from '../grow.ts'
import type { OodFailed } from '../oods.ts'
import { layoutOf, stepRow, tableHead, tableRow, type StepRow, type Style } from '../render.ts'
import { bootSequence, initSequence, type Sequence } from '../sequences.ts'
import type { Terminal } from '../terminal.ts'
import { up, type Progress, type RunningZone, type UpOptions } from '../up.ts'
import { wholeNumber } from './command.ts'
import { etcdLines, withoutMemberKeys } from './etcd-lines.ts'
import { failureOf } from './failure.ts'
import { FOLDER_OPTION, readGiven, type GivenFiles } from './given-files.ts'
import { stepZero } from './step-zero.ts'

/** What `up` and `prove` are told on the command line. */
export interface ZoneOptions extends GivenFiles {
  readonly nodes?: number
  readonly oods?: number
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
  .option('--oods <number>', 'hosts with a control plane that this process runs; needs etcd', wholeNumber(1, 9))
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
  /** OODs beside the first host that did not start. */
  readonly failed: readonly { readonly host: string; readonly code: string; readonly reason: string }[]
  /** Of a zone on etcd. */
  readonly etcd: ReturnType<typeof etcdSummary> | undefined
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
  const steps = collectSteps(trace, platform.clock.now())
  const etcd = etcdLines(terminal, style, () => platform.clock.monotonic())
  if (options.debug) tellActors(trace, terminal)
  const zone = await up({
    ...given, platform, trace, ...await clusterOptions(terminal, options),
    onProgress: (progress) => {
      if (progress.type === 'initialisation') steps.remember(progress.rows)
      if (isOfEtcd(progress)) {
        if (progress.type === 'moved') steps.moved = progress
        if (progress.type === 'dangerous') steps.dangerous = progress
        for (const line of etcd(progress)) say(line)
        if (progress.type !== 'dangerous') return
        // On stderr, with --json as well: a member may need what is gone
        for (const line of withoutMemberKeys(progress.memberKeys, given.folder, style)) terminal.error(line)
        return
      }
      if (progress.type === 'ood-failed') {
        steps.failed.push(progress)
        for (const line of withoutOod(progress, style)) terminal.error(line)
        return
      }
      for (const line of stepZero(progress, options, style)) say(line)
      if (progress.type !== 'identity') return
      const layout = layoutOf(usesEtcd(progress.config) ? initSequence : bootSequence, terminal.columns)
      for (const line of tableHead(layout, style)) say(line)
      steps.show(usesEtcd(progress.config) ? initSequence : bootSequence, (row) => {
        for (const line of tableRow(row, layout, style)) say(line)
      })
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
    zone, platform, folder: given.folder, stop, rows: () => steps.rows(),
    failed: steps.failed.map(({ host, error }) => {
      const { code, message: reason } = failureOf(error)
      return { host, code, reason }
    }),
    etcd: usesEtcd(zone.config) ? etcdSummary(zone, steps) : undefined,
    diagram: () => diagram(`${steps.title}: ${zone.config.zone}`, steps.rows()),
  }
}

async function clusterOptions(
  terminal: Terminal, { nodes, oods, ownerKey }: ZoneOptions,
): Promise<Pick<UpOptions, 'nodes' | 'oods' | 'ownerKey'>> {
  return {
    ...(oods === undefined ? {} : { oods }),
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

/** The steps of a start, by sequence. */
interface Steps {
  /** From now on each of this sequence is shown as it comes, after those that came. */
  show(sequence: Sequence, show: (row: StepRow) => void): void
  /** Of an earlier command: replaced by what comes now. */
  remember(rows: readonly StepRow[]): void
  /** Of the sequence that is shown, and of the boot where that is another one. */
  rows(): readonly StepRow[]
  bootRows(): readonly StepRow[]
  readonly title: string
  moved: Extract<EtcdProgress, { type: 'moved' }> | undefined
  /** OODs that did not start. */
  readonly failed: OodFailed[]
  dangerous: Extract<EtcdProgress, { type: 'dangerous' }> | undefined
}

function collectSteps(trace: Trace, beganMs: number): Steps {
  const rows = new Map<string, StepRow[]>()
  let shown = bootSequence
  let tell = (_: StepRow): void => {}
  let before: readonly StepRow[] = []
  const of = ({ name }: Sequence): readonly StepRow[] => rows.get(name) ?? []
  trace.on('step', (event) => {
    const row = stepRow(event, beganMs)
    if (!row) return
    rows.set(event.sequence, [...(rows.get(event.sequence) ?? []), row])
    if (event.sequence === shown.name) tell(row)
  })
  // Told by several workers: the order of arrival may differ a little from the order of events
  const bootRows = () => [...of(bootSequence)].sort((a, b) => a.atMs - b.atMs || a.number - b.number)
  return {
    moved: undefined, dangerous: undefined, failed: [],
    get title() { return shown.title },
    show(sequence, show) {
      shown = sequence
      tell = show
      for (const row of of(sequence)) show(row)
    },
    remember: (given) => void (before = given),
    bootRows,
    rows() {
      if (shown === bootSequence) return bootRows()
      const now = of(shown)
      return [...before.filter(({ number }) => !now.some((row) => row.number === number)), ...now]
        .sort((a, b) => a.number - b.number)
    },
  }
}

const isOfEtcd = (progress: Progress): progress is EtcdProgress =>
  ['initialisation', 'etcd-waits', 'etcd-reached', 'moving', 'moved', 'dangerous'].includes(progress.type)

/** With --json. */
function etcdSummary({ config: { etcd, zone } }: RunningZone, { moved, dangerous, bootRows }: Steps) {
  const stores = moved?.migration.stores ?? []
  return {
    endpoints: etcd?.endpoints ?? [], prefix: moved?.migration.prefix ?? `${etcd?.prefix}/${zone}`,
    /** False: an earlier start has moved them. */
    movedNow: moved?.before === false,
    stores: stores.map(({ name, entries, bytes, digest }) => ({ name, entries, bytes, digest })),
    removed: dangerous?.removed ?? [], kept: dangerous?.kept ?? [],
    bootSteps: bootRows(),
  }
}

/** On stderr, with --json as well: the zone goes on, and somebody has to mend this. */
function withoutOod({ host, error, folder }: OodFailed, style: Style): readonly string[] {
  const { message, next } = failureOf(error)
  return [
    `${style.bold(host)} did not start, and the zone goes on without it: ${message}`,
    `  where: ${folder}`, `  next:  ${next === undefined ? 'Mend that' : next}; then start the zone again`,
  ]
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
