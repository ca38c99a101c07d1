import { ZonewrightError } from '../runtime/errors.ts'

/** A test whose failure can be read: uvu takes `details` of an error for text, and would print nothing of ours. */
export const plain = (test: () => Promise<void>) => (): Promise<void> => test().catch((error: unknown) => {
  throw error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`) : error
})
