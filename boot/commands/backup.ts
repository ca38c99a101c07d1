import { Option, type Command } from 'commander'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { makeBackup, type BackupProgress, type MadeBackup } from '../backup/create.ts'
import { readPieces } from '../backup/disk.ts'
import type { Manifest } from '../backup/manifest.ts'
import { readBackup } from '../backup/read.ts'
import { Interrupted } from '../errors.ts'
import { file } from '../init.ts'
import { pairs, styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { secretIn } from './files.ts'

interface BackupCommandOptions {
  readonly dir: string
  readonly passphraseFile?: string
  readonly force?: true
  readonly json?: true
}

const passphraseOption = 'its first line encrypts the backup, keys included (age), or opens it; - is stdin'

export function backupCommand(terminal: Terminal): Command {
  const verify = command(terminal, 'verify', {
    description: 'Read a backup to its end: every sum, every record, every signature',
    examples: ['backup verify ./zone.backup', 'backup verify ./zone.backup --passphrase-file ./passphrase --json'],
  })
    .argument('<file>', 'the backup')
    .option('--passphrase-file <file>', passphraseOption)
    .action((path: string, _: unknown, self: Command) =>
      runVerify(terminal, path, self.optsWithGlobals<BackupCommandOptions>()))
  return command(terminal, 'backup', {
    description: 'Copy a zone into one file, while it runs or not, and verify the copy',
    examples: [
      'backup /mnt/other/zone.backup', 'backup ./zone.backup --passphrase-file ./passphrase --force',
      'backup verify ./zone.backup',
    ],
  })
    .enablePositionalOptions()
    .argument('<file>', 'where to; not inside the zone’s folder')
    .addOption(new Option('--dir <folder>', 'the folder of the zone').default('./.zone'))
    .option('--passphrase-file <file>', passphraseOption)
    .option('--force', 'replace a file of that name')
    .action((path: string, options: BackupCommandOptions) => runBackup(terminal, path, options))
    .addCommand(verify)
}

async function runBackup(terminal: Terminal, path: string, options: BackupCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const platform = await openPlatform()
  const passphrase = await passphraseOf(terminal, options)
  const began = platform.clock.monotonic()
  const made = await interruptible(terminal, (signal) => makeBackup({
    platform, folder: terminal.absolute(options.dir), file: terminal.absolute(path), replace: options.force === true,
    ...passphrase, signal, onProgress: progressLines(terminal, () => platform.clock.monotonic(), options),
  }))
  const ms = Math.round(platform.clock.monotonic() - began)
  if (options.json) {
    const { manifest, leftOut, bytes } = made
    terminal.out(JSON.stringify({ path: made.path, bytes, ms, verified: true, ...summaryOf(manifest), leftOut }))
    return
  }
  terminal.out(`${style.good('backed up and verified')}  ${made.path}`)
  for (const line of pairs(aboutBackup(terminal, made.manifest, made.bytes))) terminal.out(line)
  for (const line of missing(terminal, made)) terminal.out(line)
}

/** What a restore will need beside the file. */
function missing({ invocation }: Terminal, { manifest, leftOut, path }: MadeBackup): readonly string[] {
  const needs = manifest.keys ? ['its passphrase', 'the owner key']
    : ['the owner key', ...leftOut.filter((name) => name.endsWith('.key') && name !== file.ownerKey)]
  return [
    '',
    ...(leftOut.length === 0 ? [] : [`Not in it: ${leftOut.join(', ')}`]),
    `To restore it you will need: ${needs.join(', ')}`,
    ...(manifest.keys ? [] : [
      'It is not encrypted: who reads it reads all of kv://. --passphrase-file encrypts it, and takes the keys in',
    ]),
    `  ${invocation} restore ${path} --dir <empty folder> --owner-key <file>`,
  ]
}

async function runVerify(terminal: Terminal, path: string, options: BackupCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const platform = await openPlatform()
  const passphrase = await passphraseOf(terminal, options)
  const tell = progressLines(terminal, () => platform.clock.monotonic(), options)
  const began = platform.clock.monotonic()
  let bytes = 0
  const { manifest, encrypted } = await interruptible(terminal, (signal) =>
    readBackup(readPieces(terminal.absolute(path)), {
      platform, ...passphrase,
      onBytes(count, of) {
        signal.throwIfAborted()
        tell({ phase: 'verifying', bytes: bytes += count, of })
      },
    }))
  const ms = Math.round(platform.clock.monotonic() - began)
  if (options.json) {
    const summary = summaryOf(manifest)
    terminal.out(JSON.stringify({ path: terminal.absolute(path), ms, verified: true, encrypted, ...summary }))
    return
  }
  terminal.out(`${style.good('whole')}  ${terminal.absolute(path)}`)
  for (const line of pairs(aboutBackup(terminal, manifest, undefined))) terminal.out(line)
}

export async function passphraseOf(
  terminal: Terminal, { passphraseFile }: { readonly passphraseFile?: string },
): Promise<{ passphrase?: string }> {
  if (passphraseFile === undefined) return {}
  return { passphrase: await secretIn(terminal, passphraseFile, 'passphrase') }
}

const storesOf = ({ stores }: Manifest): number => stores.length
const bytesOf = ({ files }: Manifest): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

function summaryOf(manifest: Manifest) {
  const { zone, host, epoch, madeAtMs, keys, oneMoment, stores } = manifest
  return { zone, host, epoch, madeAtMs, keys, oneMoment, contentBytes: bytesOf(manifest), stores }
}

export const aboutBackup = (
  terminal: Terminal, manifest: Manifest, bytes: number | undefined,
): readonly (readonly [string, string])[] => [
  ['zone', `${manifest.zone} on host ${manifest.host}, epoch ${manifest.epoch}`],
  ['made', terminal.localTime(manifest.madeAtMs)],
  ['holds', `${storesOf(manifest)} stores, ${manifest.files.length} files, ${sizeText(bytesOf(manifest))}`
    + (bytes === undefined ? '' : `; the file has ${sizeText(bytes)}`)],
  ['keys', manifest.keys ? 'device and unseal keys; never the owner key' : 'none'],
]

const units = ['B', 'KiB', 'MiB', 'GiB'] as const

export function sizeText(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** A line now and then on stderr, for what takes long. */
export function progressLines(
  terminal: Terminal, nowMs: () => number, { json }: { readonly json?: true },
): (progress: BackupProgress) => void {
  let toldMs = nowMs()
  return ({ phase, bytes, of }) => {
    if (json || nowMs() - toldMs < limits.backupProgressMs) return
    toldMs = nowMs()
    terminal.error(`${phase}  ${sizeText(bytes)} of ${sizeText(of)}`)
  }
}

/** Ends at the next piece, and leaves nothing half done that is not said to be so. @throws Interrupted */
export async function interruptible<T>(terminal: Terminal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const life = new AbortController()
  void terminal.interrupted().then((name) => life.abort(new Interrupted(`Interrupted by ${name}`)))
  return run(life.signal)
}
