import { limits } from '../../../runtime/limits.ts'
import { badRequest } from './answer.ts'
import { isYes } from './request.ts'

/** What a body says, each checked as it is taken. @throws Fault 400 */
export interface Fields {
  text(name: string): string | undefined
  /** @throws Fault 400 also where it is absent or empty */
  needed(name: string): string
  flag(name: string): boolean | undefined
  whole(name: string, range?: { readonly min?: number; readonly max?: number }): number | undefined
  /** A list, or a text with commas. */
  words(name: string): readonly string[] | undefined
  /** Names to texts. */
  texts(name: string): Readonly<Record<string, string>> | undefined
}

export function fieldsOf(data: Readonly<Record<string, unknown>>): Fields {
  const given = (name: string): unknown => {
    const value = Object.hasOwn(data, name) ? data[name] : undefined
    return value === null ? undefined : value
  }
  const wrong = (name: string, what: string): Error => badRequest(`${name} must be ${what}`)
  const text = (name: string): string | undefined => {
    const value = given(name)
    if (value !== undefined && typeof value !== 'string') throw wrong(name, 'a string')
    return value
  }
  return {
    text,
    needed(name) {
      const value = text(name)
      if (value === undefined || value === '') throw badRequest(`missing ${name}`)
      return value
    },
    flag(name) {
      const value = given(name)
      if (value === undefined) return undefined
      if (typeof value === 'boolean') return value
      if (value === 'true' || value === 'false') return isYes(value)
      throw wrong(name, 'true or false')
    },
    whole(name, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
      const value = given(name)
      if (value === undefined || value === '') return undefined
      const figure = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
      if (typeof figure !== 'number' || !Number.isSafeInteger(figure) || figure < min || figure > max) {
        throw wrong(name, `a whole number from ${min} to ${max}`)
      }
      return figure
    },
    words(name) {
      const value = given(name)
      if (value === undefined) return undefined
      const list: readonly unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : []
      const isList = typeof value === 'string' || Array.isArray(value)
      if (!isList || list.length > limits.vaultHttpWords || !list.every((word) => typeof word === 'string')) {
        throw wrong(name, `a list of at most ${limits.vaultHttpWords} strings`)
      }
      return list.map((word) => String(word).trim()).filter(Boolean)
    },
    texts(name) {
      const value = given(name)
      if (value === undefined) return undefined
      const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value as object) : undefined
      if (!entries || entries.length > limits.vaultHttpWords || entries.some(([, item]) => typeof item !== 'string')) {
        throw wrong(name, `an object of at most ${limits.vaultHttpWords} strings`)
      }
      return Object.fromEntries(entries) as Record<string, string>
    },
  }
}
