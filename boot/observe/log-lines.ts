import type { Redactor } from '../../runtime/redact.ts'
import { limits } from '../../runtime/limits.ts'
import type { LogLine } from '../../runtime/supervision.ts'
import type { ActorEvent, DenialEvent, HostEvent, LogEvent } from '../../runtime/trace.ts'
import { printable } from '../printable.ts'

type Line = Omit<LogLine, 'sequence'>

const levels: Readonly<Record<string, Line['level']>> = {
  died: 'error', failed: 'error', restarting: 'warn',
}

export const logged = ({ at, host, actor, level, message, fields }: LogEvent): Line =>
  ({ at, host, actor, level, message, fields })

export const stateChanged = ({ at, host, actor, state, incarnation, reason }: ActorEvent): Line => ({
  at, host, actor, level: levels[state] ?? 'info', message: reason === '' ? state : `${state}: ${reason}`,
  fields: { state, incarnation },
})

export const hostChanged = ({ at, host, state, reason, starts }: HostEvent): Line => ({
  at, host, actor: 'supervisor', level: levels[state] ?? 'info',
  message: reason === '' ? `host ${state}` : `host ${state}: ${reason}`, fields: { state, starts },
})

/** The caller was given the id; why, and by which rule, stays on this host. */
export function denied({ at, host, actor, id, chain }: DenialEvent): Line {
  const { layer = '', rule = '', reason = '', detail } = chain.at(-1) ?? {}
  const fields = { id, layer, reason, rule, ...(detail === undefined ? {} : { detail }) }
  return { at, host, actor, level: 'warn', message: `denied: ${reason}`, fields }
}

function cut(text: string): string {
  if (text.length <= limits.logLine) return text
  return `${text.slice(0, limits.logLine - 1)}…`
}

function printableData(value: unknown): unknown {
  if (typeof value === 'string') return cut(printable(value))
  if (Array.isArray(value)) return value.map(printableData)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [printable(name), printableData(item)]))
}

/** The one place where lines enter: nothing secret, nothing that a terminal would obey, nothing too long. */
export function cleaned(line: Line, redactor: Redactor): Line {
  const fields = printableData(redactor.data(line.fields)) as Line['fields']
  return {
    ...line, host: cut(printable(line.host)), actor: cut(printable(line.actor)),
    message: cut(printable(redactor.text(line.message))),
    fields: JSON.stringify(fields).length <= limits.logLine ? fields : { cut: Object.keys(fields).length },
  }
}
