/** A source file with its comments and the contents of its strings told apart from its code. */

export interface Source {
  /** From the root, with `/`. */
  readonly path: string
  readonly text: string
}

export interface Scanned extends Source {
  /** As long as `text`: comments, and what is inside quotes and regular expressions, are spaces; lines are kept. */
  readonly code: string
  readonly imports: readonly { readonly specifier: string; readonly line: number }[]
}

/** After one of these a `/` begins a regular expression; after anything else it divides. */
const beforeExpression = /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|void|throw|yield))\s*$/

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

const endOfQuoted = (text: string, start: number): number => {
  let at = start + 1
  while (at < text.length && text[at] !== text[start] && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

const endOfPattern = (text: string, start: number): number => {
  let inClass = false
  let at = start + 1
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true
    if (text[at] === ']') inClass = false
    at += text[at] === '\\' ? 2 : 1
  }
  return at + 1
}

const keepEnds = (piece: string): string =>
  piece.length < 2 ? piece : `${piece[0]}${blank(piece.slice(1, -1))}${piece.at(-1)}`

export const codeOf = (text: string): string => {
  let code = ''
  // For each template that is open: how many braces are open in its current `${}`; -1 while in its text.
  const templates: number[] = []
  const top = (): number | undefined => templates.at(-1)
  for (let at = 0; at < text.length;) {
    const char = text[at] ?? ''
    const pair = text.slice(at, at + 2)
    let end = at + 1
    let kept = char
    if (top() === -1) {
      if (char === '\\') [end, kept] = [at + 2, '  ']
      else if (char === '`') templates.pop()
      else if (pair === '${') [end, kept, templates[templates.length - 1]] = [at + 2, pair, 0]
      else kept = blank(char)
    } else if (pair === '//' || pair === '/*') {
      const close = pair === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2) + 2
      end = close <= at + 1 ? text.length : close
      kept = blank(text.slice(at, end))
    } else if (char === "'" || char === '"') {
      end = endOfQuoted(text, at)
      kept = keepEnds(text.slice(at, end))
    } else if (char === '/' && beforeExpression.test(code.slice(-40))) {
      end = endOfPattern(text, at)
      kept = keepEnds(text.slice(at, end))
    } else if (char === '`') templates.push(-1)
    else if (char === '{' && top() !== undefined) templates[templates.length - 1] = (top() ?? 0) + 1
    else if (char === '}' && top() !== undefined) templates[templates.length - 1] = (top() ?? 0) - 1
    code += kept
    at = end
  }
  return code
}

export const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length

export const scan = (source: Source): Scanned => {
  const code = codeOf(source.text)
  // `from '…'`, `import '…'`, `import('…')`: found in the code, read from the text.
  const imports = [...code.matchAll(/\b(?:from|import)\s*\(?\s*(['"])( *)\1/g)].map(found => {
    const start = found.index + found[0].length - 1 - (found[2] ?? '').length
    return { specifier: source.text.slice(start, start + (found[2] ?? '').length), line: lineAt(code, start) }
  })
  return { ...source, code, imports }
}
