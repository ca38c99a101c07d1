import { ZonewrightError } from '../../runtime/errors.ts'

const QUIET = new Set(['Denied', 'Unavailable', 'NotFound', 'Overloaded', 'DeadlineExceeded', 'NotAZone'])

/** Not everybody may ask, and not every zone has whom to ask: then null. @throws whatever else there was */
export const unlessRefused = <T>(asked: Promise<T>): Promise<T | null> => asked.catch((error: unknown) => {
  if (error instanceof ZonewrightError && QUIET.has(error.code)) return null
  throw error
})
