const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 }
/** What a certificate cannot say is not asked for either. */
const SECONDS_MAX = 100 * 365 * 86_400

/** Whole seconds of `3600`, `"3600"`, `"72h"`, `"1h30m"` or `"30d"`; undefined of anything else. */
export function readDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return within(value)
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (/^[0-9]{1,12}$/.test(text)) return within(Number(text))
  if (!/^(?:[0-9]{1,12}(?:ms|s|m|h|d))+$/.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g)) sum += Number(amount) * UNITS[unit!]!
  // 0 means that nothing was said
  return within(sum > 0 ? Math.max(1, Math.floor(sum)) : 0)
}

const within = (seconds: number): number | undefined =>
  Number.isInteger(seconds) && seconds >= 0 && seconds <= SECONDS_MAX ? seconds : undefined
