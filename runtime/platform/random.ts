import { randomBytes } from 'node:crypto'
import type { Random } from './ports.ts'

/** The operating system's generator. It has no streams: a fork is the same source. */
export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  fork: () => systemRandom,
}
