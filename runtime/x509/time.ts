/** Calendar of X.509 times (RFC 5280 §4.1.2.5), without a clock: epoch milliseconds there and back. */

const DAY_MS = 86_400_000
/** 2050-01-01: from here on a time has four digits of a year. */
const GENERALIZED_MS = 2_524_608_000_000
/** 9999-12-31T23:59:59Z: the certificate has no end that is known (RFC 5280 §4.1.2.5). */
export const timeMax = 253_402_300_799_000
/** 1950-01-01: two digits of a year mean no earlier one. */
export const timeMin = -631_152_000_000

/** Days since the epoch, of the proleptic Gregorian calendar; years begin in March (Hinnant). */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1
  const era = Math.floor(shifted / 400)
  const ofEra = shifted - era * 400
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468
}

function dateOf(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365)
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const part = Math.floor((5 * ofYear + 2) / 153)
  const month = part < 10 ? part + 3 : part - 9
  return [year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - Math.floor((153 * part + 2) / 5) + 1]
}

const daysIn = (year: number, month: number): number =>
  daysOf(month === 12 ? year + 1 : year, (month % 12) + 1, 1) - daysOf(year, month, 1)

const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`)

/** `20490131235959Z` or `490131235959Z`, which is for times before 2050. Parts of a second are cut. */
export function formatTime(epochMs: number): { readonly text: string; readonly generalized: boolean } {
  const days = Math.floor(epochMs / DAY_MS)
  const seconds = Math.floor((epochMs - days * DAY_MS) / 1000)
  const [year, month, day] = dateOf(days)
  const generalized = epochMs >= GENERALIZED_MS
  const century = generalized ? `${year}`.padStart(4, '0') : two(year % 100)
  const time = two(Math.floor(seconds / 3600)) + two(Math.floor(seconds / 60) % 60) + two(seconds % 60)
  return { text: `${century}${two(month)}${two(day)}${time}Z`, generalized }
}

/** Undefined unless it is a time, in ASCII, of the one form that its year has. */
export function parseTime(text: Uint8Array, generalized: boolean): number | undefined {
  const from = generalized ? 4 : 2
  if (text.length !== from + 11 || text[from + 10] !== 0x5a) return undefined
  for (let index = 0; index < from + 10; index++) if (text[index]! < 0x30 || text[index]! > 0x39) return undefined
  const part = (at: number): number => (text[at]! - 0x30) * 10 + text[at + 1]! - 0x30
  const year = generalized ? part(0) * 100 + part(2) : part(0) + (part(0) < 50 ? 2000 : 1900)
  const [month, day] = [part(from), part(from + 2)]
  const [hour, minute, second] = [part(from + 4), part(from + 6), part(from + 8)]
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const days = daysOf(year, month, day)
  const at = days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000
  return generalized && at < GENERALIZED_MS ? undefined : at
}
