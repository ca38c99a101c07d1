import { safeParse } from 'valibot'
import { isMap, LineCounter, parseDocument, type Document } from 'yaml'
import { Name } from '../actors/records.ts'
import {
  integer, maxValue, minValue, number, object, optional, pipe, regex, string, type Infer,
} from '../runtime/protocol.ts'
import { ConfigInvalid } from './errors.ts'

/** What `zone.yaml` may say. Everything has a default, so that no file is needed. */
const ZoneFile = object({
  /** DNS-like name of the zone. */
  zone: optional(pipe(string(), regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/))),
  /** Name of this host. */
  host: optional(Name),
  /** The owner as a person. */
  owner: optional(Name),
  http: optional(object({
    hostname: optional(string()),
    /** 0 takes a free one. */
    port: optional(pipe(number(), integer(), minValue(0), maxValue(65_535))),
  })),
})

export interface ZoneConfig {
  readonly zone: string
  readonly host: string
  readonly owner: string
  readonly http: { readonly hostname: string; readonly port: number }
}

export const defaultConfig: ZoneConfig = {
  zone: 'zone.local', host: 'ood1', owner: 'owner', http: { hostname: '127.0.0.1', port: 0 },
}

/** The names that the file gave; a folder that exists may not contradict them. */
export interface ReadConfig {
  readonly config: ZoneConfig
  readonly stated: ReadonlySet<keyof ZoneConfig>
}

/** @throws ConfigInvalid with file, line and what is wrong */
export function readConfig(text: string | undefined, path: string): ReadConfig {
  if (text === undefined) return { config: defaultConfig, stated: new Set() }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true })
  const fault = document.errors[0]
  if (fault) {
    const [what = ''] = fault.message.split('\n')
    throw invalid(path, fault.linePos?.[0].line ?? 1, what.replace(/ at line \d+, column \d+:?$/, ''))
  }
  const result = safeParse(ZoneFile, document.toJS() ?? {})
  if (!result.success) {
    const [issue] = result.issues
    const keys = (issue.path ?? []).map((item) => String(item.key))
    const name = keys.join('.')
    const unknown = issue.type === 'strict_object' && issue.expected === 'never'
    const what = unknown ? `unknown key: ${name}` : `${name === '' ? 'the file' : name}: expected ${issue.expected ?? 'another form'}, found ${issue.received}`
    throw invalid(path, lineOf(document, keys, lines), what)
  }
  const file: Infer<typeof ZoneFile> = result.output
  return {
    config: {
      zone: file.zone ?? defaultConfig.zone, host: file.host ?? defaultConfig.host, owner: file.owner ?? defaultConfig.owner,
      http: { hostname: file.http?.hostname ?? defaultConfig.http.hostname, port: file.http?.port ?? defaultConfig.http.port },
    },
    stated: new Set(Object.keys(file) as (keyof ZoneConfig)[]),
  }
}

function invalid(path: string, line: number, what: string): Error {
  return new ConfigInvalid(`${path}:${line}: ${what}`, { path, line, next: 'Keys are zone, host, owner, http.hostname and http.port' })
}

function lineOf(document: Document, keys: readonly string[], lines: LineCounter): number {
  let node: unknown = document.contents
  let offset = 0
  for (const key of keys) {
    if (!isMap(node)) break
    const pair = node.items.find((item) => String((item.key as { value?: unknown } | null)?.value) === key)
    const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range
    if (!pair || !range) break
    offset = range[0]
    node = pair.value
  }
  return lines.linePos(offset).line
}
