import { InvalidArgument } from '../../../runtime/errors.ts'
import { array, integer, number, object, pipe, string } from '../../../runtime/protocol.ts'
import { alternativeName } from '../../../runtime/x509/alternative-names.ts'
import type { Barrier } from '../barrier.ts'
import { readDuration } from './duration.ts'
import { readList } from './role.ts'

const Settings = object({
  /** Seconds from one revocation list to the next. */
  crlSeconds: pipe(number(), integer()),
  /** Where revocation lists are to be had: in every certificate. */
  crlUrls: array(string()),
})
export interface Settings { readonly crlSeconds: number; readonly crlUrls: readonly string[] }

const PATH = 'config'
const MINUTE = 60
const CRL_SECONDS_MAX = 365 * 86_400
const URLS_MAX = 8

export interface SettingsStore {
  read(): Promise<Settings>
  /** @throws InvalidArgument */
  setCrl(data: Readonly<Record<string, unknown>>): Promise<Settings>
  setUrls(data: Readonly<Record<string, unknown>>): Promise<Settings>
}

/** What a mount is set to. Nobody races for it: the last one wins. */
export function openSettings(barrier: Barrier, defaults: Settings): SettingsStore {
  const read = async (): Promise<Settings> => (await barrier.read(PATH, Settings))?.value ?? defaults
  const write = async (changes: Partial<Settings>): Promise<Settings> => {
    const value = { ...await read(), ...changes }
    await barrier.commit([], [{ path: PATH, value }])
    return value
  }
  return {
    read,
    setCrl: ({ expiry, disable, ...rest }) => {
      // A mount without revocation, or with lists that are older than they say, is none of ours
      const [other] = Object.keys(rest).filter((name) => rest[name] !== false && rest[name] !== '')
      if (other !== undefined || (disable !== undefined && disable !== false)) {
        throw new InvalidArgument(`This cannot be set here: ${other ?? 'disable'}`)
      }
      const crlSeconds = expiry === undefined ? defaults.crlSeconds : readDuration(expiry)
      if (crlSeconds === undefined || crlSeconds < MINUTE || crlSeconds > CRL_SECONDS_MAX) {
        throw new InvalidArgument('`expiry` must be a time from a minute to a year, such as "72h"')
      }
      return write({ crlSeconds })
    },
    setUrls: ({ crl_distribution_points: given, ...rest }) => {
      const [other] = Object.keys(rest).filter((name) =>
        rest[name] !== false && (readList(rest[name]) ?? ['?']).length > 0)
      if (other !== undefined) throw new InvalidArgument(`Only crl_distribution_points can be set here: ${other}`)
      const crlUrls = readList(given ?? [])
      if (crlUrls === undefined || crlUrls.length > URLS_MAX) {
        throw new InvalidArgument(`crl_distribution_points must be a list of at most ${URLS_MAX} addresses`)
      }
      for (const value of crlUrls) {
        alternativeName({ type: 'uri', value })
        if (!/^https?:/.test(value)) throw new InvalidArgument(`It must be an address of http or https: ${value}`)
      }
      return write({ crlUrls })
    },
  }
}
