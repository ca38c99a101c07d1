import { ZonewrightError } from './errors.ts'
import { limits } from './limits.ts'
import { fromBase64url, toBase64url } from './trust/base64url.ts'
import type { WorkerEvent } from './worker.ts'

export const REDACTED = '[redacted]'

/**
 * Takes out of text what must not leave: values that it was told, and what looks like a token or a private key. It
 * keeps the values themselves, in the memory of a process that was given them anyway: a hash would find a value only
 * where it stands alone, and not what is left of one that was cut, quoted or encoded.
 */
export interface Redactor {
  /** From now on. A value of fewer than four characters cannot be told from any other text, and is ignored. */
  conceal(value: string): void
  text(text: string): string
  /** Plain data, nested; names say what their values are: that of `password` goes, whatever it looks like. */
  data(value: unknown): unknown
}

const LEAST = 4
/** So much of a long value is enough to know it by; what follows goes with it. */
const PIECE = 16
const DEPTH_MAX = 8
const ITEMS_MAX = 256
/** More is cut before anything looks at it, and then as much again as a piece of a secret could be. */
const TEXT_MAX = 65_536

type Pattern = readonly [pattern: RegExp, by: string]

const NAMES = 'pass(?:word|phrase)|secret|api[_-]?key|private[_-]?key|unseal[_-]?key|(?:[a-z]+[_-]?)?token|cookie'

/** In this order: what holds others comes first. */
const patterns: readonly Pattern[] = [
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, REDACTED],
  // PKCS #8 without its frame: Ed25519, X25519, P-256
  [/M(?:C4CAQAwBQYDK2V|IGHAgEAMBMGByqGSM49)[\w+/-]{20,}={0,2}/g, REDACTED],
  // A token of the vault
  [/\bhvs\.[\w-]{20,}/g, REDACTED],
  [/AGE-SECRET-KEY-1[0-9A-Z]{20,}/gi, REDACTED],
  // A compact JWS or JWE begins with `{"`, or `{` and white space, in base64url; also what is left of one that was cut
  [/eyJ[\w-]{10,}(?:\.[\w-]*)*|(?<![\w-])e[wy][\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)+/g, REDACTED],
  [/(\\?["']d\\?["']\s*:\s*\\?["'])[\w-]{40,}/g, `$1${REDACTED}`],
  [/\b(Bearer|DPoP) +[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  [/\b(authorization\\?["']?\s*[:=]\s*\\?["']?)(?!\[|(?:Bearer|DPoP) \[)[^\r\n"']+/gi, `$1${REDACTED}`],
  [new RegExp(`\\b(${NAMES})=[^\\s&;,"']+`, 'gi'), `$1=${REDACTED}`],
  [new RegExp(`(\\\\?["'](?:${NAMES})\\\\?["']\\s*:\\s*\\\\?["'])[^"'\\\\]+`, 'gi'), `$1${REDACTED}`],
  [/\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/@:]*:[^\s/@]+@/gi, `$1${REDACTED}@`],
]

const SENSITIVE = /(?:password|passphrase|secret|token|jwt|authorization|cookie|privatekey|unsealkey|apikey|pem)s?$/

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

export function createRedactor(): Redactor {
  /** Patterns of each concealed value. */
  const concealed = new Map<string, readonly string[]>()
  let known: RegExp | undefined
  const text = (given: string): string => {
    const cut = given.length > TEXT_MAX
    let result = cut ? given.slice(0, TEXT_MAX) : given
    known ??= concealed.size === 0 ? undefined : new RegExp([...concealed.values()].flat().join('|'), 'g')
    if (known) result = result.replace(known, REDACTED)
    for (const [pattern, by] of patterns) result = result.replace(pattern, by)
    return cut ? `${result.slice(0, -4 * PIECE)}…` : result
  }
  const data = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return text(value)
    if (value === null || typeof value === 'boolean') return value
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (typeof value !== 'object') return text(String(value))
    if (depth === 0) return '…'
    if (value instanceof Error) return text(`${value.name}: ${value.message}`)
    if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
    if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => data(item, depth - 1))
    const entries = Object.entries(value).slice(0, ITEMS_MAX).filter(([, item]) => item !== undefined)
    return Object.fromEntries(entries.map(([name, item]) => [text(name), named(name, item, depth - 1)]))
  }
  const named = (name: string, value: unknown, depth: number): unknown => {
    const sensitive = typeof value === 'string' && SENSITIVE.test(name.toLowerCase().replace(/[_-]/g, ''))
    return sensitive ? REDACTED : data(value, depth)
  }
  return {
    conceal(value) {
      const forms = formsOf(value)
      if (forms.length === 0 || concealed.has(value)) return
      concealed.set(value, forms)
      known = undefined
      if (concealed.size > limits.concealed) for (const oldest of concealed.keys()) return void concealed.delete(oldest)
    },
    text,
    data: (value) => data(value, DEPTH_MAX),
  }
}

/** How a value may stand in a text: as it is, line by line, and as it is usually quoted or encoded. */
function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim()).filter((line) => !line.startsWith('-----'))
  const least = lines.filter((line) => line !== '').length > 1 ? PIECE : LEAST
  const forms = lines.filter((line) => line.length >= least).flatMap((line) => {
    const url = line.replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=+$/, '')
    const bytes = line.length >= PIECE ? fromBase64url(url) : undefined
    return [
      line, JSON.stringify(line).slice(1, -1), encodeURIComponent(line), ...base64Of(new TextEncoder().encode(line)),
      ...(bytes ? [...base64Of(bytes), hexOf(bytes)] : []),
    ]
  })
  return [...new Set(forms)].flatMap(patternsOf)
}

/** A long value is known by each piece of it, and what follows goes with the piece. */
function patternsOf(form: string): readonly string[] {
  if (form.length < PIECE + LEAST) return [escaped(form)]
  const pieces = Array.from({ length: Math.floor(form.length / PIECE) }, (_, index) =>
    form.slice(index * PIECE, (index + 1) * PIECE))
  return pieces.map((piece) => `${escaped(piece)}[\\w+/=%-]*`)
}

function base64Of(bytes: Uint8Array): readonly string[] {
  const url = toBase64url(bytes)
  return [url, url.replace(/-/g, '+').replace(/_/g, '/')]
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** The same error without them: it is told to whoever started the actor. */
export function redactError(error: unknown, { text, data }: Redactor): unknown {
  if (!(error instanceof Error)) return text(String(error))
  error.message = text(error.message)
  if (error.stack !== undefined) error.stack = text(error.stack)
  return error instanceof ZonewrightError ? Object.assign(error, { details: data(error.details) }) : error
}

/** What an actor tells, without what must not leave it. Spans have no text of anybody's. */
export function redactEvent(event: WorkerEvent, { text, data }: Redactor): WorkerEvent {
  switch (event.type) {
    case 'log': {
      const fields = data(event.event.fields) as typeof event.event.fields
      return { type: 'log', event: { ...event.event, message: text(event.event.message), fields } }
    }
    case 'actor': return { type: 'actor', event: { ...event.event, reason: text(event.event.reason) } }
    case 'link': return { type: 'link', event: { ...event.event, reason: text(event.event.reason) } }
    case 'denial': {
      const chain = data(event.event.chain) as typeof event.event.chain
      return { type: 'denial', event: { ...event.event, chain } }
    }
    case 'step': {
      // Its names are documented words, as `token: 'session'`, so only the values are looked at
      const evidence = Object.fromEntries(Object.entries(event.event.evidence).map(([name, value]) =>
        [name, typeof value === 'string' ? text(value) : value]))
      return { type: 'step', event: { ...event.event, evidence } }
    }
    default: return event
  }
}
