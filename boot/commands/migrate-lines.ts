import type { Migration, MigrationPlan, StoreMigration } from '../../runtime/migration.ts'
import type { Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'

const BAR = 20
/** Milliseconds between two lines about one store, where nothing can be drawn over. */
const LINE_MS = 2_000

const COLUMNS: readonly Column[] = [
  { head: 'store' }, { head: 'phase' }, { head: 'entries', align: 'right' }, { head: 'verified', align: 'right' },
  { head: 'took', align: 'right' }, { head: 'writes waited', align: 'right' }, { head: 'digest' },
]

export function migrationLines(
  migration: Migration, terminal: Terminal, style: Style, nowMs: number,
): readonly string[] {
  const { state, prefix, endpoints, stores, error } = migration
  const paint = state === 'done' ? style.good : state === 'failed' ? style.bad : style.bold
  const rows = stores.map((store): readonly Cell[] => [
    { text: store.name, paint: style.bold }, { text: store.before ? 'was there' : phaseOf(store) },
    { text: count(store.entries) }, { text: count(store.verified) },
    { text: store.startedMs === null ? '' : duration((store.endedMs ?? nowMs) - store.startedMs) },
    { text: store.fences === 0 ? '' : `${Math.round(store.fenceMs)} ms` }, { text: store.digest?.slice(0, 12) ?? '' },
  ])
  return [
    `${paint(state)}  to ${prefix} of ${endpoints.join(', ')}`,
    ...table(COLUMNS, rows, terminal.columns, style),
    ...(error ? ['', `${error.code}: ${error.message}`, ...(error.next === '' ? [] : [`  ${error.next}`])] : []),
    ...(state === 'done' ? ['', `What stays behind in the folder: ${terminal.invocation} vault migrate --purge`] : []),
  ]
}

const PLAN: readonly Column[] = [
  { head: 'store' }, { head: 'entries', align: 'right' }, { head: 'bytes', align: 'right' },
  { head: 'revision', align: 'right' }, { head: 'what' },
]

export function planLines(plan: MigrationPlan, terminal: Terminal, style: Style): readonly string[] {
  const { prefix, endpoints, operationsMax, stores } = plan
  return [
    `To ${style.bold(prefix)} of ${endpoints.join(', ')}, which answers, and takes ${operationsMax} operations at once`,
    ...table(PLAN, stores.map(({ name, entries, bytes, revision, what, error }): readonly Cell[] => [
      { text: name, paint: style.bold }, { text: count(entries) }, { text: count(bytes) }, { text: count(revision) },
      { text: error ? `refused: ${error.message}` : what },
    ]), terminal.columns, style),
  ]
}

/** One line that is drawn again, on a terminal; elsewhere a line now and then, and at each phase. */
export class ProgressLine {
  readonly #terminal: Terminal
  readonly #quiet: boolean
  readonly #style: Style
  #drawn = false
  #told = ''
  #toldAt = 0

  constructor(terminal: Terminal, { json }: { readonly json?: true }, style: Style) {
    this.#terminal = terminal
    this.#quiet = json === true
    this.#style = style
  }

  show(migration: Migration, nowMs: number): void {
    const store = migration.stores.find(({ phase }) => phase !== 'done')
    if (this.#quiet || !store) return
    const line = lineOf(migration, store, nowMs, this.#style)
    if (this.#terminal.columns !== undefined && this.#terminal.colours) {
      this.#terminal.write(`\r\u001b[2K${line.slice(0, this.#terminal.columns + 16)}`)
      this.#drawn = true
      return
    }
    const what = `${store.name} ${store.phase} ${store.waits}`
    if (what === this.#told && nowMs - this.#toldAt < LINE_MS) return
    this.#told = what
    this.#toldAt = nowMs
    this.#terminal.out(line)
  }

  end(): void {
    if (this.#drawn) this.#terminal.write('\r\u001b[2K')
    this.#drawn = false
  }
}

function lineOf({ stores }: Migration, store: StoreMigration, nowMs: number, style: Style): string {
  const { name, entries, verified, total, startedMs } = store
  const share = total === 0 ? 1 : Math.min(1, (entries + verified) / (2 * total))
  const filled = Math.round(share * BAR)
  const bar = `${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}`
  const seconds = startedMs === null ? 0 : (nowMs - startedMs) / 1000
  const rate = seconds > 0.2 ? `  ${count(Math.round(entries / seconds))}/s` : ''
  const done = stores.filter(({ phase }) => phase === 'done').length
  return `  ${style.bold(name)}  [${bar}] ${Math.floor(share * 100)} %  ${phaseOf(store)}  `
    + `${count(entries)} of ${count(total)} copied, ${count(verified)} verified${rate}`
    + `  (${done} of ${stores.length} stores)`
}

const phaseOf = ({ phase, waits, behind }: StoreMigration): string =>
  (waits ? 'waits for etcd' : phase === 'following' && behind > 0 ? `following, ${count(behind)} behind` : phase)

const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ' ')
