import { Option, type Command } from 'commander'
import type { AuditRecord } from '../../actors/vault/audit/record.ts'
import { keyFile as keyFileName } from '../../actors/vault/audit/segments.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { showAudit } from '../audit/show.ts'
import { verifyAudit, type Verified } from '../audit/verify.ts'
import { unreadable } from '../backup/disk.ts'
import { AuditBroken, Usage } from '../errors.ts'
import { file } from '../init.ts'
import { jsonLine, printable } from '../printable.ts'
import { GAP, pairs, styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { interruptible, progressLines, sizeText } from './backup.ts'
import { command, group } from './command.ts'

interface VerifyCommandOptions {
  readonly dir: string
  readonly key?: string
  readonly json?: true
}

interface ShowCommandOptions {
  readonly dir: string
  readonly since?: string
  readonly who?: string
  readonly method?: string
  readonly json?: true
}

const dirOption = (): Option => new Option('--dir <folder>', 'the folder of the zone, or of segments').default('./.zone')

export function auditCommand(terminal: Terminal): Command {
  const verify = command(terminal, 'verify', {
    description: 'Read the audit of a host to its end: every record, the chain, every signature; offline',
    examples: ['audit verify', 'audit verify --dir /srv/zone --key ./audit-key.jwk', 'audit verify --json'],
  })
    .addOption(dirOption())
    .option('--key <file>', `the public key, of a copy that was kept elsewhere; default: ${file.audit}/${keyFileName}`)
    .action((options: VerifyCommandOptions) => runVerify(terminal, options))
  const show = command(terminal, 'show', {
    description: 'Print the records of the audit of a host, oldest first; offline',
    examples: ['audit show --since 1h', 'audit show --who verify-hub --method readKey', 'audit show --json'],
    json: 'print one JSON object a line',
  })
    .addOption(dirOption())
    .option('--since <when>', 'a time (2026-01-31T12:00:00Z), or how long ago (30m, 12h, 7d)')
    .option('--who <name>', 'whose calls: an actor, a host, or an accessor')
    .option('--method <name>', 'of this method')
    .action((options: ShowCommandOptions) => runShow(terminal, options))
  return group(terminal, 'audit', {
    description: 'Check and read what the vault was asked, and what it did',
    examples: ['audit verify', 'audit show --since 1h'],
  }, [verify, show])
}

async function runVerify(terminal: Terminal, options: VerifyCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const platform = await openPlatform()
  const dir = terminal.absolute(options.dir)
  const tell = progressLines(terminal, () => platform.clock.monotonic(), options)
  const verified = await interruptible(terminal, (signal) => verifyAudit({
    platform, folder: dir, ...(options.key === undefined ? {} : { keyFile: terminal.absolute(options.key) }), signal,
    onProgress: (bytes, of) => tell({ phase: 'verifying', bytes, of }),
  })).catch((error: unknown) => {
    throw unreadable(error, dir)
  })
  const broken = verified.faults > 0
  if (options.json) terminal.out(jsonLine({ whole: !broken, ...verified }))
  else print(terminal, verified, style)
  if (!broken) return
  throw new AuditBroken(`The audit is not whole: ${verified.faults} ${verified.faults === 1 ? 'fault' : 'faults'}`, {
    shown: options.json === true, path: verified.folder,
    next: 'Keep that folder as it is, and compare it with a backup of it',
  })
}

function print(terminal: Terminal, verified: Verified, style: Style): void {
  const { folder, findings, faults } = verified
  const verdict = faults === 0 ? style.good('whole') : style.bad('broken')
  terminal.out(`${verdict}  ${folder}`)
  for (const line of pairs(about(terminal, verified))) terminal.out(line)
  for (const { fault, seq, detail } of findings) {
    terminal.out(`${GAP}${style.bad(fault)} at record ${seq}: ${printable(detail)}`)
  }
  if (faults > findings.length) terminal.out(`${GAP}and ${faults - findings.length} more`)
}

function about(terminal: Terminal, verified: Verified): readonly (readonly [string, string])[] {
  const { name, records, segments, bytes, firstAt, lastAt, end, signatures, unsigned, key, storeKnows } = verified
  const times = firstAt === undefined || lastAt === undefined ? ''
    : `, from ${terminal.localTime(firstAt)} to ${terminal.localTime(lastAt)}`
  return [
    ...(name ? [['host', printable(`${name.host} of zone ${name.zone}`)] as const] : []),
    ['records', `${records} in ${segments} segments, ${sizeText(bytes)}${times}`],
    ['end', `${end.seq} ${end.hash}`],
    ['signatures', `${signatures} good; ${unsigned} records since the last one`],
    ['key', key === undefined ? 'none: nothing says who wrote it'
      : `${key.kid}${key.pinned ? '' : ' (found beside the audit: keep a copy elsewhere, and give it with --key)'}`],
    ['store', storeKnows === undefined ? 'not in this folder: an end that was cut off is not noticed by it'
      : `knows of ${storeKnows} records`],
    ...(verified.repaired > 0 ? [['repaired', `${verified.repaired} writes that a crash had cut off`] as const] : []),
    ...(verified.cutOff > 0
      ? [['cut off', `${verified.cutOff} bytes of a last write; the vault repairs that when it starts`] as const] : []),
  ]
}

async function runShow(terminal: Terminal, { dir, since, who, method, json }: ShowCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const folder = terminal.absolute(dir)
  const options = {
    folder, ...(since === undefined ? {} : { since: await momentOf(terminal, since) }),
    ...(who === undefined ? {} : { who }), ...(method === undefined ? {} : { method }),
  }
  try {
    for await (const record of showAudit(options)) {
      terminal.out(json ? jsonLine(record) : lineText(terminal, record, style))
      await terminal.drained()
    }
  } catch (error) {
    throw unreadable(error, folder)
  }
}

function lineText(terminal: Terminal, record: AuditRecord, style: Style): string {
  const { seq, at, kind, who, method, resource, outcome, code, of, about = {} } = record
  const isBad = outcome === 'failed' || outcome === 'denied' || kind === 'lost' || kind === 'broken'
  const told = Object.entries(about).map(([name, value]) => printable(`${name} ${String(value)}`))
  return [
    String(seq).padStart(6), style.dim(terminal.localTime(at)), kind.padEnd(9), printable(who ?? '-').padEnd(22),
    [method, resource === '-' ? undefined : resource].filter((word) => word !== undefined).map(printable).join(' '),
    isBad ? style.bad(outcome ?? '') : outcome ?? '', code ?? '', of === undefined ? '' : `of ${of}`,
    ...told.map((text) => style.dim(text)),
  ].filter(Boolean).join(GAP)
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Epoch milliseconds. @throws Usage */
async function momentOf(terminal: Terminal, text: string): Promise<number> {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (unit !== undefined) return (await openPlatform()).clock.now() - Number(count) * UNITS[unit]!
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? terminal.timeOf(text) : undefined
  if (at === undefined) {
    throw new Usage(`--since is no time: ${text}`, { next: 'Say 2026-01-31T12:00:00Z, or how long ago: 30m, 12h, 7d' })
  }
  return at
}
