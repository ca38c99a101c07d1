import { DiskFull, messageOf } from '../errors.ts'

/** No space, a quota, or a limit on the size of a file: none of it was the disk's fault, and all of it can pass. */
const CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? ''

/** Deno has no code for the last two: EFBIG is 27, EDQUOT 122 (on a BSD 69). */
const UNNAMED = /\(os error (27|69|122)\)/

export const isDiskFull = (error: unknown): boolean =>
  CODES.has(codeOf(error)) || (codeOf(error) === '' && error instanceof Error && UNNAMED.test(error.message))

export const diskFull = (path: string, error: unknown): Error =>
  new DiskFull(`The disk is full: ${path} (${codeOf(error) || messageOf(error)})`, {
    path, reason: codeOf(error), next: 'Make room on that disk; what is written from then on is kept',
  })
