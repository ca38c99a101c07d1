import { limits } from '../../runtime/limits.ts'
import type { Migration, StoreMigration } from '../../runtime/migration.ts'
import { initStep } from '../../actors/init-steps.ts'
import type { EtcdProgress } from '../etcd/start.ts'
import { layoutOf, tableRow, type StepRow, type Style } from '../render.ts'
import { initSequence, lastPemsStep } from '../sequences.ts'
import type { Terminal } from '../terminal.ts'
import { sizeText } from './backup.ts'

/** Where the table has its second column. */
const INDENT = '     '

/** What a start on etcd tells beside the steps, as lines. One of these for each start: it says nothing twice. */
export function etcdLines(
  terminal: Terminal, style: Style, nowMs: () => number,
): (progress: EtcdProgress) => readonly string[] {
  const layout = layoutOf(initSequence, terminal.columns)
  const told = new Set<string>()
  let toldMs = nowMs()
  let remembered: readonly StepRow[] = []
  const once = (line: string): readonly string[] => {
    if (told.has(line)) return []
    told.add(line)
    return [style.dim(INDENT + line)]
  }
  const since = ({ endedMs }: Migration): string => terminal.localTime(endedMs ?? 0)
  const rowsWhere = (is: (number: number) => boolean): readonly string[] =>
    remembered.filter(({ number }) => is(number)).flatMap((row) => tableRow(row, layout, style))
  const moving = ({ stores }: Migration): readonly string[] => {
    const lines = stores.filter(({ endedMs, before }) => endedMs !== null && !before)
      .flatMap((store) => once(doneLine(store)))
    const now = stores.find(({ phase }) => phase !== 'done' && phase !== 'waiting')
    if (!now || nowMs() - toldMs < limits.backupProgressMs) return lines
    toldMs = nowMs()
    return [...lines, style.dim(INDENT + movingLine(now))]
  }
  return (progress) => {
    switch (progress.type) {
      case 'initialisation':
        remembered = progress.rows
        return rowsWhere((number) => number <= lastPemsStep)
      case 'etcd-waits': return once(`waiting for etcd: ${progress.detail}`)
      case 'etcd-reached': return progress.absent.flatMap(({ endpoint, detail }) =>
        once(`a member of etcd does not answer, and the others do without: ${endpoint} (${detail})`))
      case 'moving': return moving(progress.migration)
      case 'moved': return progress.before
        ? [
          ...rowsWhere((number) => number >= initStep.moveAsked && number <= initStep.moveConfirmed),
          ...once(`the stores are in etcd since ${since(progress.migration)}: nothing to move`),
        ]
        : []
      case 'dangerous': return [
        ...progress.removed.flatMap((name) => once(`removed  ${name}: not needed here any more`)),
        ...progress.kept.flatMap(({ name, why }) => once(`kept     ${name}: ${why}`)),
      ]
    }
  }
}

/**
 * A member that reads its key by a path to this disk goes on, until somebody connects to it anew.
 * @param names of keys of members that were removed, in this folder
 */
export function withoutMemberKeys(names: readonly string[], folder: string, style: Style): readonly string[] {
  if (names.length === 0) return []
  return [
    `${style.bold('warning')}: keys of members of etcd were removed here, which have shown that they have them:`,
    ...names.map((name) => `  ${folder}/${name}`),
    '  A member that reads these very files, by a mount or a share, needs a copy of its own: new connections to it',
    '  fail from now on. `gen pems --renew` makes its files anew: copy them, and start the member with the copies.',
    '  To keep such files here, the config says: tls_config: { enable: true, keep_dangerous_files: true }',
  ]
}

const doneLine = ({ name, entries, bytes, fenceMs }: StoreMigration): string =>
  `moved  ${name}: ${entries} entries, ${sizeText(bytes)}, read back and the same; `
  + `writes waited ${Math.round(fenceMs)} ms`

function movingLine({ name, phase, entries, total, waits }: StoreMigration): string {
  const share = total === 0 ? '' : ` ${Math.floor((100 * entries) / total)} %`
  return `moving  ${name}: ${phase}, ${entries} of ${total} entries${share}${waits ? ', waiting for etcd' : ''}`
}
