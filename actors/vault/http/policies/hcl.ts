import { limits } from '../../../../runtime/limits.ts'
import { badRequest } from '../answer.ts'

/**
 * What of HCL a policy is written in: attributes, blocks, strings, numbers, booleans, lists, objects, comments. No
 * templates, no heredocs, no expressions. There is no package for it that is kept up, and a policy is no place for one
 * that guesses: what is not understood is refused, with its line.
 */
export type HclValue = string | number | boolean | readonly HclValue[] | HclObject
export interface HclObject { readonly [name: string]: HclValue }

export interface HclBlock {
  readonly type: string
  readonly labels: readonly string[]
  readonly body: HclBody
}

export interface HclBody {
  readonly attributes: ReadonlyMap<string, HclValue>
  readonly blocks: readonly HclBlock[]
}

interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'mark' | 'end'
  readonly text: string
  readonly line: number
}

const MARKS = '{}[]=,:'
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\' }

const wrong = (line: number, what: string): Error => badRequest(`failed to parse policy: line ${line}: ${what}`)

/** @throws Fault 400 */
export function readHcl(text: string): HclBody {
  const tokens = tokensOf(text)
  let at = 0
  const peek = (): Token => tokens[at]!
  const take = (): Token => tokens[at++]!
  const expect = (mark: string): Token => {
    const token = take()
    if (token.kind !== 'mark' || token.text !== mark) throw wrong(token.line, `${mark} is expected`)
    return token
  }
  const isMark = (mark: string): boolean => peek().kind === 'mark' && peek().text === mark
  const deeper = (depth: number): number => {
    if (depth >= limits.vaultPolicyDepth) throw wrong(peek().line, `deeper than ${limits.vaultPolicyDepth} levels`)
    return depth + 1
  }

  const value = (depth: number): HclValue => {
    const token = take()
    if (token.kind === 'string') return token.text
    if (token.kind === 'number') return Number(token.text)
    if (token.kind === 'word' && (token.text === 'true' || token.text === 'false')) return token.text === 'true'
    if (token.kind === 'mark' && token.text === '[') return list(deeper(depth))
    if (token.kind === 'mark' && token.text === '{') return objectOf(deeper(depth))
    throw wrong(token.line, 'a value is expected')
  }
  const list = (depth: number): HclValue => {
    const items: HclValue[] = []
    while (!isMark(']')) {
      items.push(value(depth))
      if (!isMark(']')) expect(',')
    }
    take()
    return items
  }
  const objectOf = (depth: number): HclObject => {
    const entries = new Map<string, HclValue>()
    while (!isMark('}')) {
      const key = take()
      if (key.kind !== 'word' && key.kind !== 'string') throw wrong(key.line, 'a name is expected')
      if (isMark(':')) take()
      else expect('=')
      if (entries.has(key.text)) throw wrong(key.line, `twice: ${key.text}`)
      entries.set(key.text, value(depth))
      if (isMark(',')) take()
    }
    take()
    return Object.fromEntries(entries)
  }
  const body = (isEnd: () => boolean, depth: number): HclBody => {
    const attributes = new Map<string, HclValue>()
    const blocks: HclBlock[] = []
    while (!isEnd()) {
      const name = take()
      if (name.kind !== 'word' && name.kind !== 'string') throw wrong(name.line, 'a name is expected')
      if (isMark('=')) {
        take()
        if (attributes.has(name.text)) throw wrong(name.line, `twice: ${name.text}`)
        attributes.set(name.text, value(depth))
        if (isMark(',')) take()
        continue
      }
      const labels: string[] = []
      while (peek().kind === 'string') labels.push(take().text)
      expect('{')
      const inner = body(() => isMark('}'), deeper(depth))
      take()
      blocks.push({ type: name.text, labels, body: inner })
    }
    return { attributes, blocks }
  }
  return body(() => peek().kind === 'end', 0)
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let [at, line] = [0, 1]
  const push = (kind: Token['kind'], value: string): void => void tokens.push({ kind, text: value, line })
  while (at < text.length) {
    const char = text[at]!
    if (char === '\n') line++
    if (/\s/.test(char)) at++
    else if (char === '#' || text.startsWith('//', at)) at = endOf(text, '\n', at)
    else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2)
      if (end < 0) throw wrong(line, 'a comment does not end')
      line += text.slice(at, end).split('\n').length - 1
      at = end + 2
    } else if (char === '"') {
      const { value, end } = quoted(text, at, line)
      push('string', value)
      at = end
    } else if (MARKS.includes(char)) {
      push('mark', char)
      at++
    } else {
      const [whole] = /^(?:[A-Za-z_][\w.-]*|-?\d+(?:\.\d+)?)(?![\w.])/.exec(text.slice(at, at + 256)) ?? []
      if (whole === undefined) throw wrong(line, 'unexpected text')
      push(/^[-\d]/.test(whole) ? 'number' : 'word', whole)
      at += whole.length
    }
  }
  push('end', '')
  return tokens
}

function quoted(text: string, from: number, line: number): { readonly value: string; readonly end: number } {
  let value = ''
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') return { value, end: at + 1 }
    if (char === '\n') break
    if (text.startsWith('${', at) || text.startsWith('%{', at)) throw wrong(line, 'templates are not supported')
    if (char !== '\\') {
      value += char
      continue
    }
    const escape = text[++at] ?? ''
    const hex = escape === 'u' ? /^[0-9a-fA-F]{4}/.exec(text.slice(at + 1))?.[0] : undefined
    if (hex !== undefined) {
      value += String.fromCharCode(Number.parseInt(hex, 16))
      at += 4
    } else if (Object.hasOwn(ESCAPES, escape)) value += ESCAPES[escape]
    else throw wrong(line, 'an unknown escape in a string')
  }
  throw wrong(line, 'a string does not end')
}

const endOf = (text: string, mark: string, from: number): number => {
  const end = text.indexOf(mark, from)
  return end < 0 ? text.length : end
}
