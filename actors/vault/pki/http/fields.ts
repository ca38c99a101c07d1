import { InvalidArgument } from '../../../../runtime/errors.ts'
import { formatTime } from '../../../../runtime/x509/time.ts'
import { readDuration } from '../duration.ts'
import { readList } from '../role.ts'

/** What a body says, each field checked as it is taken. @throws InvalidArgument naming the field */
export interface Fields {
  text(name: string): string | undefined
  /** @throws InvalidArgument also where it is absent or empty */
  needed(name: string): string
  flag(name: string): boolean
  words(name: string): readonly string[]
  seconds(name: string): number | undefined
  whole(name: string): number | undefined
  /** Epoch milliseconds of a time such as `2030-01-01T00:00:00Z`. */
  time(name: string): number | undefined
  choice<const C extends string>(name: string, choices: readonly C[]): C
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/

export function fieldsOf(data: Readonly<Record<string, unknown>>): Fields {
  const given = (name: string): unknown => (Object.hasOwn(data, name) ? data[name] : undefined) ?? undefined
  const wrong = (name: string, expected: string): Error =>
    new InvalidArgument(`The field must be ${expected}: ${name}`, { field: name })
  const text = (name: string): string | undefined => {
    const value = given(name)
    if (value !== undefined && typeof value !== 'string') throw wrong(name, 'a text')
    return value
  }
  return {
    text,
    needed(name) {
      const value = text(name)
      return value || fail(new InvalidArgument(`The field is missing: ${name}`, { field: name }))
    },
    flag(name) {
      const value = given(name)
      if (value === undefined || value === false || value === 'false') return false
      if (value === true || value === 'true') return true
      throw wrong(name, 'true or false')
    },
    words(name) {
      const value = readList(given(name) ?? [])
      if (value === undefined) throw wrong(name, 'a list of words, or one text with commas')
      return value
    },
    seconds(name) {
      const value = given(name)
      if (value === undefined || value === '') return undefined
      return readDuration(value) ?? fail(wrong(name, 'a time such as 3600, "72h" or "30d"'))
    },
    whole(name) {
      const value = given(name)
      if (value === undefined || value === '') return undefined
      const figure = typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : value
      if (typeof figure !== 'number' || !Number.isInteger(figure)) throw wrong(name, 'a whole number')
      return figure
    },
    time(name) {
      const value = text(name)
      if (value === undefined || value === '') return undefined
      const parts = RFC3339.exec(value)?.slice(1).map(Number)
      const ms = parts && epochOf(parts)
      // What it says as it is written again: no month 13, no 30 February
      if (ms === undefined || rfc3339(ms) !== value) throw wrong(name, 'a time such as 2030-01-01T00:00:00Z')
      return ms
    },
    choice(name, choices) {
      const value = text(name) ?? choices[0]!
      return choices.find((one) => one === value) ?? fail(wrong(name, `one of ${choices.join(', ')}`))
    },
  }
}

function fail(error: Error): never {
  throw error
}

/** Days before each month of a year that begins in March. */
const MARCH_DAYS = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337]

function epochOf([year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0]: readonly number[]): number {
  const from = month > 2 ? year : year - 1
  const days = from * 365 + Math.floor(from / 4) - Math.floor(from / 100) + Math.floor(from / 400)
    + (MARCH_DAYS[(month + 9) % 12] ?? 0) + day - 719_469
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000
}

/** `2030-01-01T00:00:00Z` */
export function rfc3339(ms: number): string {
  const { text, generalized } = formatTime(ms)
  const all = generalized ? text : (text < '5' ? '20' : '19') + text
  const [, year, month, day, hour, minute, second] = /^(.{4})(..)(..)(..)(..)(..)/.exec(all)!
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`
}
