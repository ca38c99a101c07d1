import { Option, type Command } from 'commander'
import { RestartLimit } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { createTrace, type Trace } from '../../runtime/trace.ts'
import { readConfig, withPort } from '../config.ts'
import { diagram } from '../diagram.ts'
import { ConfigInvalid, Interrupted, Usage } from '../errors.ts'
import { file } from '../init.ts'
import { evidenceText, layoutOf, stepRow, tableHead, tableRow, type StepRow, type Style } from '../render.ts'
import { bootSequence } from '../sequences.ts'
import type { Terminal } from '../terminal.ts'
import { up, type Progress, type RunningZone, type UpOptions } from '../up.ts'
import { wholeNumber } from './command.ts'
import { stepZero } from './step-zero.ts'

export const DEFAULT_FOLDER = './.zone'

/** What `up` and `prove` are told on the command line. */
export interface ZoneOptions {
  readonly dir: string
  readonly config?: string
  readonly port?: number
  readonly ownerPassphraseFile?: string
  readonly json?: true
  readonly diagram?: true
  readonly debug?: true
}

/** Options of every command that boots a zone. */
export const zoneOptions = (of: Command): Command => of
  .addOption(new Option('--dir <folder>', 'the folder of the zone; made if it is missing').default(DEFAULT_FOLDER))
  .option('--config <file>', 'read this file instead of zone.yaml in the folder')
  .option('--port <number>', 'port of the gateway; 0 takes a free one', wholeNumber(0, 65_535))
  .option('--owner-passphrase-file <file>', 'its first line encrypts the owner key, or opens it')
  .option('--diagram', 'print the steps as a mermaid sequence diagram')

/** Where lines for a person go: with --json nowhere, so that the object stands alone. */
export const sayTo = (terminal: Terminal, { json }: { readonly json?: true }): ((line: string) => void) =>
  (json ? () => {} : (line) => terminal.out(line))

export interface BootedZone {
  readonly zone: RunningZone
  readonly platform: Platform
  readonly rows: () => readonly StepRow[]
  readonly diagram: () => string
  /** From now on tells of warnings and of actors that fail: a boot ends in one error, and attacks are meant to be refused. */
  watch(): void
  /** Settles when an actor that the zone cannot be without has failed for good. */
  readonly broken: Promise<Error>
  /** Stops in reverse order, telling each actor as it stops. */
  stop(): Promise<void>
}

/** Boots the zone of a folder and shows each step as it completes. @throws what `up` throws, Interrupted */
export async function bootZone(terminal: Terminal, options: ZoneOptions, style: Style): Promise<BootedZone> {
  const interrupted = terminal.interrupted()
  const platform = await openPlatform()
  const given = await upOptions(terminal, options)
  const beganMs = platform.clock.now()
  const trace = createTrace()
  const say = sayTo(terminal, options)
  const rows = showSteps(terminal, trace, beganMs, style, say)
  let quiet = options.debug !== true
  const broken = showTrouble(trace, (actor, what) => {
    if (!quiet) terminal.error(`${style.bad(actor)}: ${what}`)
  })
  let signal: string | undefined
  let ready = false
  void interrupted.then((name) => {
    signal = name
    if (!ready) terminal.error(`${name}: stopping as soon as the boot is through; once more to exit at once`)
  })
  const onProgress = (progress: Progress): void => {
    for (const line of stepZero(progress, options, style)) say(line)
    if (progress.type === 'identity') for (const line of tableHead(layoutOf(bootSequence, terminal.columns), style)) say(line)
  }
  const zone = await up({ ...given, platform, trace, onProgress })
  ready = true
  const unrestricted = terminal.workersUnrestricted()
  if (unrestricted !== undefined) terminal.error(`note: ${unrestricted}`)
  const booted: BootedZone = {
    zone, platform, rows, broken, diagram: () => diagram(`${bootSequence.title}: ${zone.config.zone}`, rows()),
    watch: () => { quiet = false },
    stop: () => {
      quiet = options.debug !== true
      return stopZone(zone, say, style)
    },
  }
  if (signal !== undefined) {
    await booted.stop()
    throw new Interrupted(`Interrupted by ${signal} during the boot`)
  }
  return booted
}

async function upOptions(terminal: Terminal, options: ZoneOptions): Promise<Omit<UpOptions, 'platform' | 'trace' | 'onProgress'>> {
  const config = await configText(terminal, options)
  const passphrase = options.ownerPassphraseFile === undefined ? undefined : await passphraseIn(terminal, options.ownerPassphraseFile)
  return {
    folder: options.dir,
    ...(config === undefined ? {} : { config }),
    ...(passphrase === undefined ? {} : { ownerPassphrase: passphrase }),
  }
}

/** Undefined means `zone.yaml` in the folder, if there is one: `up` reads it itself. */
async function configText(terminal: Terminal, { dir, config, port }: ZoneOptions): Promise<UpOptions['config']> {
  if (config === undefined && port === undefined) return undefined
  const path = terminal.absolute(config ?? `${dir}/${file.config}`)
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    if (config === undefined && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return ''
    throw new ConfigInvalid(`The config file cannot be read: ${path} (${error.code})`, { path, next: 'Give the path of a file with --config' })
  })
  readConfig(text, path)
  return { path, text: port === undefined ? text : withPort(text, port) }
}

async function passphraseIn(terminal: Terminal, given: string): Promise<string> {
  const path = terminal.absolute(given)
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    throw new Usage(`The passphrase file cannot be read: ${path} (${error.code})`, { path })
  })
  const [passphrase = ''] = text.split(/\r?\n/)
  if (passphrase === '') {
    throw new Usage(`The passphrase file is empty: ${path}`, { path, next: 'Write the passphrase into its first line' })
  }
  return passphrase
}

function showSteps(terminal: Terminal, trace: Trace, beganMs: number, style: Style, say: (line: string) => void): () => readonly StepRow[] {
  const rows: StepRow[] = []
  const layout = layoutOf(bootSequence, terminal.columns)
  trace.on('step', (event) => {
    const row = stepRow(event, beganMs)
    if (!row) return
    rows.push(row)
    for (const line of tableRow(row, layout, style)) say(line)
  })
  // Told by several workers: the order of arrival may differ a little from the order of events
  return () => [...rows].sort((a, b) => a.atMs - b.atMs || a.number - b.number)
}

/** Without one of these there is no control plane. */
const INDISPENSABLE = ['vault', 'system-config', 'verify-hub', 'node-daemon']

/** Warnings, and actors that fail, as long as the zone serves. */
function showTrouble(trace: Trace, tell: (actor: string, what: string) => void): Promise<Error> {
  trace.on('log', ({ level, actor, message, fields }) => {
    if (level !== 'info') tell(actor, [message, evidenceText(fields)].filter(Boolean).join('  '))
  })
  return new Promise((settle) => {
    trace.on('actor', ({ actor, state, reason }) => {
      if (state === 'died' || state === 'failed' || state === 'restarting') tell(actor, [state, reason].filter(Boolean).join(': '))
      if (state === 'failed' && INDISPENSABLE.includes(actor)) {
        settle(new RestartLimit(`An actor that the zone cannot be without has failed: ${actor}: ${reason}`, { actor }))
      }
    })
  })
}

async function stopZone(zone: RunningZone, say: (line: string) => void, style: Style): Promise<void> {
  zone.trace.on('actor', ({ actor, state }) => {
    if (state === 'stopped') say(`  ${style.dim('stopped')}  ${actor}`)
  })
  await zone.stop()
}
