import { DiskFull, messageOf, NotWritable } from '../errors.ts'

/** No space, a quota, or a limit on the size of a file: none of it was the disk's fault, and all of it can pass. */
const CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? ''

/** Deno has no code for the last two: EFBIG is 27, EDQUOT 122 (on a BSD 69). */
const UNNAMED = /\(os error (27|69|122)\)/

export const isDiskFull = (error: unknown): boolean =>
  CODES.has(codeOf(error)) || (codeOf(error) === '' && error instanceof Error && UNNAMED.test(error.message))

/** The disk fails, or nobody may write there any more. */
const REFUSALS = new Set(['EIO', 'EROFS', 'EACCES', 'EPERM'])

/** What a person is told of a file that could not be written. Other errors are ours, and stay as they are. */
export function writeFailure(path: string, error: unknown): unknown {
  if (isDiskFull(error)) return diskFull(path, error)
  const code = codeOf(error)
  if (!REFUSALS.has(code)) return error
  return new NotWritable(`The file cannot be written: ${path} (${code})`, {
    path, reason: code, next: 'See to that disk, and to who may write there',
  })
}

export const diskFull = (path: string, error: unknown): Error =>
  new DiskFull(`The disk is full: ${path} (${codeOf(error) || messageOf(error)})`, {
    path, reason: codeOf(error), next: 'Make room on that disk; what is written from then on is kept',
  })
