import { badRequest } from './answer.ts'

const DAY_MS = 86_400_000

/** RFC 3339 in UTC. Without a calendar of the platform's: what that prints is not the same everywhere. */
export function rfc3339(ms: number): string {
  const days = Math.floor(ms / DAY_MS)
  const ofDay = ms - days * DAY_MS
  const [year, month, day] = civil(days)
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = [Math.floor(ofDay / 3_600_000), Math.floor(ofDay / 60_000) % 60, Math.floor(ofDay / 1_000) % 60]
  const fraction = ofDay % 1_000
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clock.map(two).join(':')}`
    + `${fraction === 0 ? '' : `.${String(fraction).padStart(3, '0')}`}Z`
}

/** Days since 1970 as year, month and day of the Gregorian calendar; the year begins in March, so that leaps are last. */
function civil(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * ofYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return [year, month, ofYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1]
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 }
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/
/** A hundred years: what is longer is a mistake. */
const SECONDS_MAX = 3_155_760_000

/** Seconds of `90`, `"90"`, `"1h30m"`; 0 where there is none. @throws Fault 400 */
export function secondsOf(value: unknown, name: string): number {
  if (value === undefined || value === null || value === '') return 0
  const seconds = typeof value === 'number' ? value : typeof value === 'string' ? parsed(value.trim()) : Number.NaN
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > SECONDS_MAX) {
    throw badRequest(`${name} is no duration: seconds, or as 1h30m`)
  }
  return Math.floor(seconds)
}

function parsed(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  if (text.length > 64 || !DURATION.test(text)) return Number.NaN
  let seconds = 0
  for (const [, figure, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    seconds += Number(figure) * UNIT_SECONDS[unit!]!
  }
  return seconds
}

/** As Vault writes durations back: `1h30m0s`. */
export function durationText(seconds: number): string {
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`
}
