/**
 * Text of others on a terminal. A control character in a log line, a value or a reason could move the cursor, rewrite
 * what stands above or type into the shell; a mark of direction could show a line in another order.
 */
const UNSAFE = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069'
  + '\\ufeff\\u{e0000}-\\u{e007f}]', 'gu')

/** One line: what could act on a terminal is shown as `\x1b` or `\u{202e}`. */
export const printable = (text: string): string => text.replace(UNSAFE, escaped)

/** The same, but lines stay lines. */
export const printableLines = (text: string): string =>
  text.replace(UNSAFE, (letter) => (letter === '\n' || letter === '\t' ? letter : escaped(letter)))

/** One line of JSON that means the same and is as safe. */
export const jsonLine = (value: unknown): string => JSON.stringify(value).replace(UNSAFE, (letter) =>
  [...Array(letter.length).keys()].map((at) => `\\u${letter.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''))

function escaped(letter: string): string {
  if (letter === '\n') return '\\n'
  if (letter === '\r') return '\\r'
  if (letter === '\t') return '\\t'
  const code = letter.codePointAt(0)!
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** East Asian wide and full-width characters, and emoji (Unicode, UAX #11). */
const WIDE = new RegExp('^[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f'
  + '\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]$', 'u')

const widthOfLetter = (letter: string): number => (NONE.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1)

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of text) width += widthOfLetter(letter)
  return width
}

/** At most so many columns; what is cut ends with `…`. */
export function cutTo(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const letter of text) {
    width += widthOfLetter(letter)
    if (width > columns - 1) break
    kept += letter
  }
  return columns > 0 ? `${kept}…` : ''
}

export const padTo = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - widthOf(text)))
