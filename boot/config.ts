import { safeParse, type InferIssue } from 'valibot'
import { isMap, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { Name } from '../actors/records.ts'
import { isReserved } from '../actors/trust-matrix.ts'
import {
  array, integer, maxValue, minValue, number, object, optional, pipe, regex, string, type Infer,
} from '../runtime/protocol.ts'
import { ConfigInvalid } from './errors.ts'

/** Scheme, host in lower case and a port that is not the usual one; nothing behind it. */
const ORIGIN = /^(?:https:\/\/(?!.*:443$)|http:\/\/(?!.*:80$))[a-z0-9](?:[a-z0-9.-]{0,252})(?::[1-9][0-9]{0,4})?$/

/** What `zone.yaml` may say. Everything has a default, so that no file is needed. */
const ZoneFile = object({
  /** DNS-like name of the zone. */
  zone: optional(pipe(string(), regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/))),
  /** Name of this host. */
  host: optional(Name),
  /** The owner as a person. */
  owner: optional(Name),
  http: optional(object({
    hostname: optional(pipe(string(), regex(/^[0-9A-Za-z.:-]{1,253}$/))),
    /** 0 takes a free one. */
    port: optional(pipe(number(), integer(), minValue(0), maxValue(65_535))),
    /** Where people reach it by a proxy: `https://zone.example`. */
    origins: optional(array(pipe(string(), regex(ORIGIN)))),
  })),
  /** Hosts beside the first one that this process runs: a cluster on one host. */
  nodes: optional(pipe(number(), integer(), minValue(0), maxValue(1_000))),
  processes: optional(object({
    /** Programs that services may run here: absolute paths; `/opt/zone/*` is all below a folder. Default: none. */
    allow: optional(array(pipe(string(), regex(/^\/[^\0]*$/)))),
  })),
  telemetry: optional(object({
    /** OpenTelemetry collector that takes traces by OTLP over HTTP: `http://127.0.0.1:4318`. Default: none. */
    otlp: optional(pipe(string(), regex(/^https?:\/\/[^\s]+$/))),
  })),
})

/** What a message says is expected, for each key that there is. */
const expected: Readonly<Record<string, string>> = {
  '': 'a mapping of zone, host, owner, http, nodes, processes and telemetry',
  zone: 'a DNS name in lower case',
  host: 'a name of lower-case letters, digits and -',
  owner: 'a name of lower-case letters, digits and -',
  http: 'a mapping of hostname, port and origins',
  'http.hostname': 'a host name or an IP address',
  'http.port': 'a whole number from 0 to 65535',
  'http.origins': 'a list of addresses such as https://zone.example',
  'http.origins.*': 'an address such as https://zone.example',
  nodes: 'a whole number from 0 to 1000',
  processes: 'a mapping of allow',
  'processes.allow': 'a list of absolute paths',
  telemetry: 'a mapping of otlp',
  'telemetry.otlp': 'a URL of http or https',
}

export interface ZoneConfig {
  readonly zone: string
  readonly host: string
  readonly owner: string
  readonly http: { readonly hostname: string; readonly port: number; readonly origins: readonly string[] }
  readonly nodes: number
  readonly processes: { readonly allow: readonly string[] }
  readonly telemetry: { readonly otlp: string | undefined }
}

export const defaultConfig: ZoneConfig = {
  zone: 'zone.local', host: 'ood1', owner: 'owner', http: { hostname: '127.0.0.1', port: 0, origins: [] },
  nodes: 0, processes: { allow: [] }, telemetry: { otlp: undefined },
}

/** The names that the file gave; a folder that exists may not contradict them. */
export interface ReadConfig {
  readonly config: ZoneConfig
  readonly stated: ReadonlySet<keyof ZoneConfig>
}

const keysHint =
  'Keys are zone, host, owner, http.hostname, http.port, http.origins, nodes, processes.allow and telemetry.otlp'
const syntaxHint = 'It is YAML: `key: value` lines, indented by spaces'

/** @throws ConfigInvalid: `FILE:LINE: what` */
export function readConfig(text: string | undefined, path: string): ReadConfig {
  if (text === undefined) return { config: defaultConfig, stated: new Set() }
  const lines = new LineCounter()
  const document = parse(text, path, lines)
  const result = safeParse(ZoneFile, valueOf(document, path) ?? {})
  if (!result.success) {
    const { keys, what } = schemaFault(result.issues[0])
    throw invalid(path, lineOf(document, keys, lines), what, keysHint)
  }
  const file: Infer<typeof ZoneFile> = result.output
  const { zone, host, owner, http } = defaultConfig
  const config: ZoneConfig = {
    zone: file.zone ?? zone, host: file.host ?? host, owner: file.owner ?? owner,
    http: {
      hostname: file.http?.hostname ?? http.hostname, port: file.http?.port ?? http.port,
      origins: file.http?.origins ?? http.origins,
    },
    nodes: file.nodes ?? defaultConfig.nodes,
    processes: { allow: file.processes?.allow ?? [] },
    telemetry: { otlp: file.telemetry?.otlp },
  }
  const fault = namesFault(config)
  if (fault) throw invalid(path, lineOf(document, [fault.key], lines), fault.what, 'Choose another name')
  return { config, stated: new Set(Object.keys(file) as (keyof ZoneConfig)[]) }
}

const PRINTABLE = /^[ -~]+$/

/** A host and a user speak under their names: none may be the system's own, nor the other's. */
function namesFault({ host, owner }: ZoneConfig): { key: string; what: string } | undefined {
  if (isReserved(host)) return { key: 'host', what: `host: this name is the system's own: ${host}` }
  if (isReserved(owner)) return { key: 'owner', what: `owner: this name is the system's own: ${owner}` }
  return host === owner ? { key: 'owner', what: `owner: the host has the same name: ${owner}` } : undefined
}

/** The text of a valid file with another value in it. */
export function withSetting(text: string, [section, name]: readonly [string, string], value: unknown): string {
  const document = parseDocument(text)
  if (document.contents === null) return `${JSON.stringify({ [section]: { [name]: value } })}\n`
  document.setIn([section, name], value)
  return String(document)
}

function parse(text: string, path: string, lineCounter: LineCounter): Document {
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, strict: true, logLevel: 'error' })
  const [fault] = document.errors
  if (fault) {
    const { what, next } = syntaxFault(fault, text)
    throw invalid(path, fault.linePos?.[0].line ?? 1, what, next)
  }
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return
      const { line } = lineCounter.linePos(alias.range?.[0] ?? 0)
      throw invalid(path, line, `an alias of nothing: *${alias.source}`, syntaxHint)
    },
  })
  return document
}

/** yaml's message goes on with the place and an excerpt; the place is said already. */
function syntaxFault({ code, message, pos: [from] }: Document['errors'][number], text: string) {
  if (code === 'DUPLICATE_KEY') {
    return { what: `duplicate key: ${/^[^\s:]*/.exec(text.slice(from))?.[0] ?? ''}`, next: 'Keep one of them' }
  }
  if (code === 'TAB_AS_INDENT') return { what: 'a tab indents this line', next: 'Indent it by spaces' }
  if (code === 'MULTIPLE_DOCS') return { what: 'a second document begins', next: 'Keep one of them' }
  const [what = ''] = message.split('\n')
  const plain = what.replace(/ at line \d+, column \d+:?$/, '')
  return { what: plain.charAt(0).toLowerCase() + plain.slice(1), next: syntaxHint }
}

function schemaFault({ type, input, path: items, ...issue }: InferIssue<typeof ZoneFile>) {
  const path = items ?? []
  const keys = path.map(({ key }) => String(key))
  const parent = path.at(-1)?.input
  const unknown = type === 'strict_object' && issue.expected === 'never'
  // A list is read as an object of numbered keys
  if (unknown && Array.isArray(parent)) return { keys: keys.slice(0, -1), what: mismatch(keys.slice(0, -1), parent) }
  const name = keys.join('.')
  if (unknown) return { keys, what: `unknown key: ${PRINTABLE.test(name) ? name : JSON.stringify(name)}` }
  return { keys, what: mismatch(keys, input) }
}

function mismatch(keys: readonly string[], found: unknown): string {
  const name = keys.join('.')
  const wanted = expected[name] ?? expected[name.replace(/\d+$/, '*')] ?? 'another value'
  return `${name || 'the file'}: expected ${wanted}, found ${shown(found)}`
}

/** Aliases of aliases may stand for so much that yaml refuses to expand them. */
function valueOf(document: Document, path: string): unknown {
  try {
    return document.toJS()
  } catch {
    throw invalid(path, 1, 'its aliases stand for too much', 'Write the values out')
  }
}

const SHOWN_MAX = 40

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}

function invalid(path: string, line: number, what: string, next: string): Error {
  return new ConfigInvalid(`${path}:${line}: ${what}`, { path, line, next })
}

function lineOf(document: Document, keys: readonly string[], lines: LineCounter): number {
  let node: unknown = document.contents
  let offset = isMap(node) ? 0 : (document.contents?.range?.[0] ?? 0)
  for (const key of keys) {
    if (!isMap(node)) break
    const pair = node.items.find((item) => String((item.key as { value?: unknown } | null)?.value ?? '') === key)
    const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range
    if (!pair || !range) break
    offset = range[0]
    node = pair.value
  }
  return Math.max(1, lines.linePos(offset).line)
}
