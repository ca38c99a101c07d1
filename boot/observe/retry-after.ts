const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const DAY_MS = 86_400_000

/** RFC 9110 §10.2.3: seconds, or a date in the one form that may be sent (§5.6.7). Undefined when it is neither. */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const [, day, monthName, year, hours, minutes, seconds] = DATE.exec(text) ?? []
  const month = MONTHS.indexOf(monthName ?? '') + 1
  if (month === 0) return undefined
  const atMs = daysFromEpoch(Number(year), month, Number(day)) * DAY_MS
    + (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
  return Math.max(0, atMs - nowMs)
}

/** Of the Gregorian calendar, whose years are counted from March so that a leap day comes last. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return years * 365 + leaps + ofYear - 719_468
}
