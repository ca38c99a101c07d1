const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Why a text is not read: half a sentence. `twice`: because it names a member twice. */
export interface JsonFault {
  readonly fault: string
  readonly twice?: true
}

/**
 * One JSON object in strict UTF-8. A member named twice is refused: RFC 7515 §4 and RFC 7519 §4 let a parser take the
 * last one, and two parsers that differ there read two different tokens. So is `__proto__`.
 */
export function parseObject(bytes: Uint8Array): { readonly value: Readonly<Record<string, unknown>> } | JsonFault {
  const parsed = parseStrictly(bytes, { depthMax: Infinity, reserved: RESERVED })
  if ('fault' in parsed) return parsed
  return isObject(parsed.value) ? { value: parsed.value } : { fault: 'it is not an object' }
}

const RESERVED: ReadonlySet<string> = new Set(['__proto__'])

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export interface Strictness {
  readonly depthMax: number
  /** Names that no member may have. */
  readonly reserved: ReadonlySet<string>
}

/** The value of a text that has one meaning for every parser, or why it has not. */
export function parseStrictly(
  bytes: Uint8Array, strictness: Strictness,
): { readonly value: unknown } | JsonFault {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return { fault: 'it is not UTF-8' }
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'it is not JSON' }
  }
  return isPlain(text, value, strictness) ? { value } : faultIn(text, strictness) ?? { value }
}

/**
 * What a writer makes of the value is the text itself: then no member was named twice, or in another spelling. Nearly
 * every text that is good is of this kind, and walking one costs several times as much.
 */
const isPlain = (text: string, value: unknown, { depthMax, reserved }: Strictness): boolean =>
  depthMax === Infinity && ![...reserved].some((name) => text.includes(name)) && JSON.stringify(value) === text

const NAME_SHOWN = 64

/** Walks a text that is known to be JSON. */
function faultIn(text: string, { depthMax, reserved }: Strictness): JsonFault | undefined {
  const open: (Set<string> | undefined)[] = []
  let nameIsNext = false
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        nameIsNext = text.charCodeAt(index) === OPEN_OBJECT
        if (open.push(nameIsNext ? new Set() : undefined) > depthMax) {
          return { fault: `it has more than ${depthMax} levels` }
        }
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        nameIsNext = false
        break
      case COMMA:
        nameIsNext = open[open.length - 1] !== undefined
        break
      case QUOTE: {
        const end = endOfString(text, index)
        if (nameIsNext) {
          const name = JSON.parse(text.slice(index, end + 1)) as string
          const names = open[open.length - 1]!
          if (reserved.has(name)) return { fault: `a member has a reserved name: ${name}` }
          if (names.has(name)) {
            return { fault: `a member is there twice: ${JSON.stringify(name.slice(0, NAME_SHOWN))}`, twice: true }
          }
          names.add(name)
          nameIsNext = false
        }
        index = end
      }
    }
  }
  return undefined
}

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The quote that ends the string: an even number of backslashes stands before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === BACKSLASH) before--
    if ((end - before) % 2 === 0) return end
  }
}
