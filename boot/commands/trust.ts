import { Option, type Command } from 'commander'
import type { Role } from '../../actors/trust-matrix.ts'
import { jsonLine } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { fields, table, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import {
  actionRows, matrixRows, phaseLines, phaseRows, roles, rowsOfRole, verifiers, type MatrixRow,
} from './trust-tables.ts'

interface TrustOptions {
  readonly role?: Role
  readonly json?: true
  readonly markdown?: true
}

export function trustCommand(terminal: Terminal): Command {
  return command(terminal, 'trust', {
    description: 'Show who trusts what: what each role does to log in, and which tokens each verifier accepts',
    examples: ['trust', 'trust --role user', 'trust --json', 'trust --markdown'],
  })
    .addOption(new Option('--role <role>', 'only what this role does, checks and meets').choices(roles))
    .addOption(new Option('--markdown', 'as it stands in ARCHITECTURE.md').conflicts(['json', 'role']))
    .addHelpText('after', '\nIt is the same in every zone, and needs none that runs.')
    .action(({ role, json, markdown }: TrustOptions) => {
      if (markdown) return terminal.out(trustMarkdown())
      if (json) return terminal.out(jsonLine(trustData(role)))
      for (const line of trustLines(role, terminal.columns, styleOf(terminal.colours))) terminal.out(line)
    })
}

const rowsOf = (role: Role | undefined): readonly MatrixRow[] => (role === undefined ? matrixRows() : rowsOfRole(role))

function trustData(role: Role | undefined) {
  const phases = role === undefined || role === 'system-config'
  return {
    loginActions: actionRows(role), matrix: rowsOf(role),
    ...(phases ? {
      phases: {
        ...Object.fromEntries(phaseLines),
        differences: phaseRows().map(([what, boot, normal]) => ({ what, boot, normal })),
      },
    } : {}),
  }
}

const LOGIN_TYPE = 'LOGIN_TYPE is the kind of login action that a role performs. It does not say whether the role is '
  + 'authorised, nor whether it asks for a token: what each one accepts is in the matrix.'

const ACTIONS = ['role', 'LOGIN_TYPE', 'action', 'shows', 'callee', 'when'] as const
const MATRIX = [
  'verifier', 'phase', 'token use', 'key from', 'iss', 'sub', 'aud', 'runtime type', 'at most', 'once',
] as const
const PHASES = ['', 'boot phase', 'normal'] as const

/** Where the terminal is narrow. */
const SHRINKING = new Set(['action', 'runtime type', 'iss'])

const actionCells = (role: Role | undefined): readonly (readonly string[])[] => actionRows(role).map((row) =>
  [row.role, row.loginType, row.action, row.shows ?? '-', row.callee ?? '-', row.when])

const matrixCells = (row: MatrixRow): readonly string[] => [
  row.use, row.key, row.issuer, row.sub, row.aud, row.runtimeTypes, row.lifetime, row.once ? 'yes' : 'no',
]

/** Of verifiers that accept nothing it is said that they do. */
const NOTHING = 'no token at all'
const silentVerifiers = (): readonly string[] =>
  verifiers.filter((verifier) => !matrixRows().some((row) => row.verifier === verifier))

const caption = 'Which tokens each verifier accepts (`aud` names it); what is not here is refused'

function trustLines(role: Role | undefined, columns: number | undefined, style: Style): readonly string[] {
  const plain = (heads: readonly string[]): readonly Column[] =>
    heads.map((head) => (SHRINKING.has(head) ? { head, shrinks: true } : { head }))
  const cells = (rows: readonly (readonly string[])[]) => rows.map((row) => row.map((text) => ({ text })))
  const matrix = rowsOf(role).map((row) => [row.verifier, row.phase, ...matrixCells(row)])
  const silent = silentVerifiers().filter((verifier) => role === undefined || verifier === role)
  return [
    LOGIN_TYPE, '',
    ...table(plain(ACTIONS), cells(actionCells(role)), columns, style), '',
    style.bold(caption),
    ...table(plain(MATRIX), cells([...matrix, ...silent.map((name) => [name, '-', NOTHING])]), columns, style),
    ...(role === undefined || role === 'system-config' ? [
      '', style.bold('The two phases of system-config'),
      ...phaseRows().flatMap(([what, boot, normal]) =>
        [style.dim(what), ...fields([['boot phase', boot], ['normal', normal]], '  ')]),
      ...fields(phaseLines),
    ] : []),
  ]
}

/** Both tables and the two phases, as ARCHITECTURE.md has them. */
export function trustMarkdown(): string {
  const matrix = matrixRows().map((row) => [row.verifier, row.phase, ...matrixCells(row)])
  const silent = silentVerifiers().map((name) => [name, '-', NOTHING, ...Array<string>(MATRIX.length - 3).fill('-')])
  return [
    LOGIN_TYPE, '',
    ...markdownTable(ACTIONS, actionCells(undefined)), '',
    `${caption}:`, '',
    ...markdownTable(MATRIX, [...matrix, ...silent]), '',
    'The two phases of system-config:', '',
    ...markdownTable(PHASES, phaseRows()), '',
    ...phaseLines.map(([what, text]) => `* Boot phase ${what}: ${text}.`),
  ].join('\n')
}

const markdownTable = (heads: readonly string[], rows: readonly (readonly string[])[]): readonly string[] =>
  [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
