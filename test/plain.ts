/** A test whose failure can be read: uvu takes `details` of an error for text, and would print nothing of ours. */
export const plain = (test: () => Promise<void>) => (): Promise<void> => test().catch((error: unknown) => {
  if (!(error instanceof Error) || typeof (error as { details?: unknown }).details !== 'object') throw error
  const { code, details } = error as unknown as { code: string; details: object }
  throw new Error(`${code}: ${error.message} ${JSON.stringify(details)}`)
})
