import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseSerial } from '../client/serial.ts'
import {
  listCertificates, readCertificate, revokeCertificate, type CertificateEntry,
} from '../client/certificates.ts'
import { pemFiles, type PemFile } from '../client/pem-files.ts'
import { CertificateExpiring, Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, fields, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { ownerKeyOptions, requestByOwner, type OwnerKeyOptions } from './owner-signs.ts'

export const MOUNTS = ['pki', 'pki-etcd'] as const
const REASONS = [
  'unspecified', 'keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn',
] as const
/** `--check` without `--expiring`. */
const CHECK_MS = 14 * 86_400_000

export function certsCommand(terminal: Terminal): Command {
  return group(terminal, 'certs', {
    description: 'Show the certificates of a zone, what ends before long, and revoke them',
    examples: [
      'certs', 'certs --expiring 30d', 'certs --check && echo fine', 'certs show SERIAL',
      'sudo certs revoke SERIAL --reason keyCompromise',
    ],
  }, [showCommand(terminal), revokeCommand(terminal)]).addCommand(listCommand(terminal), { isDefault: true })
}

interface ListOptions extends ConnectOptions {
  readonly mount?: string
  readonly expiring?: number
  readonly all?: true
  readonly check?: true
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 }

/** `30d`, `36h`, `2w`. */
function span(text: string): number {
  const [, number, unit = ''] = /^([1-9]\d{0,4})([hdw])$/.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('It looks like 30d, 36h or 2w.')
  return Number(number) * UNITS[unit]!
}

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List certificates, the first to end first, and those in the files of this host',
    examples: ['certs', 'certs list --mount pki-etcd --json', 'certs --expiring 30d', 'certs --all', 'certs --check'],
  }))
    .addOption(new Option('--mount <mount>', 'only of this authority’s mount').choices(MOUNTS))
    .addOption(new Option('--expiring <time>', 'only what ends within this time: 30d, 36h, 2w').argParser(span))
    .option('--all', 'also what was revoked or has ended')
    .option('--check', 'fail when something ends within the time of --expiring, else within 14 days')
    .action((options: ListOptions) => runList(terminal, options))
}

/** What a person wants to know of a certificate, wherever it is from. */
interface Row {
  readonly where: string
  readonly serial: string
  readonly subject: string
  readonly names: readonly string[]
  readonly holder: string
  readonly issuer: string
  readonly notAfter: number
  readonly state: string
  readonly urgency: string | null
}

async function runList(terminal: Terminal, options: ListOptions): Promise<void> {
  const client = await connect(terminal, options)
  const { platform } = client
  const now = platform.clock.now()
  const certificates = await listCertificates(client, options.mount)
  const files = options.url === undefined ? await pemFiles(platform, terminal.absolute(options.dir), now) : []
  const known = new Set(certificates.map(({ serial }) => serial))
  const rows = [...certificates.map(ofInventory), ...files.map(ofFile)]
    .filter(({ notAfter }) => options.expiring === undefined || notAfter - now <= options.expiring)
    .filter(({ state }) => options.all || state === 'valid' || (state === 'ended' && options.expiring !== undefined))
    .sort((a, b) => a.notAfter - b.notAfter || (a.serial < b.serial ? -1 : 1))
  const style = styleOf(terminal.colours)
  show(terminal, options, {
    certificates: certificates.filter((each) => rows.some(({ serial }) => serial === each.serial)),
    files: files.map((each) => ({ ...each, inInventory: known.has(each.serial) })),
  }, () => (rows.length === 0 ? ['There is none'] : [
    ...table(COLUMNS, rows.map((each) => cells(each, now, style)), terminal.columns, style),
  ]))
  if (!options.check) return
  const withinMs = options.expiring ?? CHECK_MS
  const soon = rows.filter(({ state, notAfter }) => state !== 'revoked' && notAfter - now <= withinMs)
  if (soon.length === 0) return
  const [first] = soon
  throw new CertificateExpiring(`${soon.length} end within ${duration(withinMs)}; first ${first!.subject}`, {
    next: `${terminal.invocation} certs show ${first!.serial}`, shown: true,
  })
}

const ofInventory = ({ mount, serial, subject, names, holder, authority, notAfter, state, urgency }:
CertificateEntry): Row => ({
  where: mount, serial, subject, names, holder, issuer: authority.slice(0, 8), notAfter, state, urgency,
})

const ofFile = ({ path, serial, subject, names, issuer, notAfter, state, urgency }: PemFile): Row =>
  ({ where: path, serial, subject, names, holder: 'this host', issuer, notAfter, state, urgency })

const COLUMNS: readonly Column[] = [
  { head: 'ends in', align: 'right' }, { head: 'state' }, { head: 'where' }, { head: 'subject' },
  { head: 'names', shrinks: true }, { head: 'holder' }, { head: 'issuer' }, { head: 'serial', shrinks: true },
]

function cells(row: Row, now: number, style: Style): readonly Cell[] {
  const { where, serial, subject, names, holder, issuer, notAfter, state, urgency } = row
  const left = notAfter - now
  const words = urgency === 'due' ? 'renewal due' : urgency === 'urgent' ? 'ends soon' : state
  return [
    { text: left > 0 ? duration(left) : 'ended' },
    { text: words, paint: words === 'valid' ? style.good : style.bad },
    { text: where }, { text: subject, paint: style.bold }, { text: names.join(', ') }, { text: holder },
    { text: issuer }, { text: serial },
  ]
}

function showCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'show', {
    description: 'Show one certificate',
    examples: ['certs show 3a:4f:…', 'certs show 3a4f… --json'],
  })).argument('<serial>').action(async (text: string, options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const found = await readCertificate(client, parseSerial(text))
    const now = client.platform.clock.now()
    const { mount, serial, role, subject, names, holder, authority, notBefore, notAfter, revokedAt, state } = found
    show(terminal, options, found, () => [
      ...fields([
        ['serial', serial], ['mount', mount], ['role', role], ['subject', subject], ['names', names.join(', ')],
        ['holder', holder], ['authority', authority], ['from', terminal.localTime(notBefore)],
        ['until', `${terminal.localTime(notAfter)}${notAfter > now ? `, in ${duration(notAfter - now)}` : ''}`],
        ['state', revokedAt === null ? state : `revoked ${terminal.localTime(revokedAt)}`],
      ]),
      '', ...found.pem.trimEnd().split('\n'),
    ])
  })
}

type RevokeOptions = ConnectOptions & OwnerKeyOptions & { readonly reason?: string }

function revokeCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'revoke', {
    description: 'Revoke a certificate for good: by an admin’s sudo, or by the owner key',
    examples: [
      'sudo certs revoke SERIAL --reason keyCompromise', 'certs revoke SERIAL --owner-key ./.zone/owner.key',
    ],
  })), 'instead of sudo: signs this one request, and is not kept')
    .argument('<serial>')
    .addOption(new Option('--reason <reason>', 'told in the revocation list').choices(REASONS))
    .action(async (text: string, options: RevokeOptions) => {
      const serial = parseSerial(text)
      demandOwnerOrSudo(terminal, options, `certs revoke ${serial}`)
      const client = await connect(terminal, options)
      const words = `revoke the certificate ${serial}`
      const token = await requestByOwner(terminal, client, { audience: 'cert-manager', words }, options)
      const reason = options.reason === undefined ? {} : { reason: options.reason }
      const { mount, revokedAt } = await revokeCertificate(client, { serial, ...reason }, token)
      show(terminal, options, { serial, mount, revokedAt }, () => [
        `${printable(serial)} of ${mount} was revoked ${terminal.localTime(revokedAt)}`,
        'The revocation list that says so is published',
      ])
    })
}

/** What a session alone may never do: said before anything is asked for. @throws Usage */
export function demandOwnerOrSudo(terminal: Terminal, { ownerKey }: OwnerKeyOptions, words: string): void {
  if (terminal.sudo !== undefined && ownerKey !== undefined) {
    throw new Usage('One of them signs: your own key, or the owner key', { next: 'Leave out sudo, or --owner-key' })
  }
  if (terminal.sudo !== undefined || ownerKey !== undefined) return
  throw new Usage('This is done by an admin’s sudo, or by the owner key', {
    next: `${terminal.invocation} sudo ${words}; or --owner-key FILE`,
  })
}
