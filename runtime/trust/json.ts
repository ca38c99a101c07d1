const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * One JSON object in strict UTF-8, or undefined. A member named twice is refused: RFC 7515 §4 and RFC 7519 §4 let a
 * parser take the last one, and two parsers that differ there read two different tokens. So is `__proto__`.
 */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return namesAreUnique(text) ? value as Record<string, unknown> : undefined
}

/** Walks a text that is known to be JSON. */
function namesAreUnique(text: string): boolean {
  const open: (Set<string> | undefined)[] = []
  let nameIsNext = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '{') {
      open.push(new Set())
      nameIsNext = true
    } else if (character === '[') {
      open.push(undefined)
      nameIsNext = false
    } else if (character === '}' || character === ']') {
      open.pop()
    } else if (character === ',') {
      nameIsNext = open.at(-1) !== undefined
    } else if (character === '"') {
      const end = endOfString(text, index)
      if (nameIsNext) {
        const name = JSON.parse(text.slice(index, end + 1)) as string
        const names = open.at(-1)!
        if (names.has(name) || name === '__proto__') return false
        names.add(name)
        nameIsNext = false
      }
      index = end
    }
  }
  return true
}

function endOfString(text: string, start: number): number {
  let index = start + 1
  while (text[index] !== '"') index += text[index] === '\\' ? 2 : 1
  return index
}
