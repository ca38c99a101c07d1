import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { InvalidKey } from './protocol.ts'

/** The store keeps keys of `kv://` below this, apart from what is system-config's own. */
export const STORE_PREFIX = 'kv/'
const SCHEME = 'kv://'

/**
 * Segments of ASCII that means nothing to a policy, a URL, a shell or a terminal, so that a key has one spelling and
 * its order is that of its bytes.
 */
const SEGMENT = '[A-Za-z0-9._~@:+=-]+'
const PATH = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`)
/** `.` and `..` would be read as a way out, `__` is kept for what is never shown, and the rest every object has. */
const UNRESERVED = `(?!(?:\\.{1,2}|constructor|prototype)(?:/|$)|__)${SEGMENT}`
/** One pass for both: a search for reserved segments anywhere took more than all other work of a read. */
const KEY = new RegExp(`^${UNRESERVED}(?:/${UNRESERVED})*$`)

/** `kv://a/b` and `a/b` name the same key. @throws InvalidKey */
export function parseKey(text: string): string {
  const path = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text
  checkPath(path)
  return path
}

/** `nodes` and all below it, or only what is below it (`nodes/`); empty is everything. */
export interface Scope {
  readonly path: string
  /** Whether the key `path` belongs to it. */
  readonly self: boolean
  /** Whether all keys that start with `below` belong to it. */
  readonly tree: boolean
  readonly below: string
}

/** @throws InvalidKey */
export function parseScope(text: string): Scope {
  const path = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text
  if (path === '') return { path, self: false, tree: true, below: '' }
  const bare = path.endsWith('/') ? path.slice(0, -1) : path
  checkPath(bare)
  return { path: bare, self: bare === path, tree: true, below: `${bare}/` }
}

export const inScope = ({ path, self, tree, below }: Scope, key: string): boolean =>
  (tree && key.startsWith(below)) || (self && key === path)

/** What the keys of these scopes start with in the store. */
export function storePrefix(scopes: readonly Scope[]): string {
  const [first = '', ...rest] = scopes.map(({ path, self, below }) => self ? path : below)
  let length = first.length
  for (const other of rest) {
    let same = 0
    while (same < length && first[same] === other[same]) same++
    length = same
  }
  return STORE_PREFIX + first.slice(0, length)
}

function checkPath(path: string): void {
  if (path === '') throw new InvalidKey('The key is empty')
  if (path.length + STORE_PREFIX.length > limits.keyBytes) {
    throw new InvalidKey(`The key is longer than ${limits.keyBytes - STORE_PREFIX.length} bytes: ${path.length}`)
  }
  if (KEY.test(path)) return
  if (!PATH.test(path)) {
    const what = /^\/|\/\/|\/$/.test(path) ? 'an empty segment' : 'a character that keys cannot have'
    throw new InvalidKey(`The key has ${what}: ${shown(path)}`)
  }
  throw new InvalidKey(`The key has a reserved segment: ${shown(path)}`)
}

/** For messages: what was sent could hold control characters. */
const shown = (path: string): string => JSON.stringify(path.slice(0, 80))

const encoder = new TextEncoder()

/** @throws InvalidArgument when the text is not Unicode, or its UTF-8 is too long with `overhead` bytes beside it */
export function encodeText(text: string, overhead: number): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) throw new InvalidArgument('The value has half of a surrogate pair')
  const bytes = encoder.encode(text)
  if (bytes.length + overhead > limits.valueBytes) {
    throw new InvalidArgument(`The value is longer than ${limits.valueBytes - overhead} bytes: ${bytes.length}`)
  }
  return bytes
}
