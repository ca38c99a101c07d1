import type { Random } from '../platform/ports.ts'

/** `bytes` random bytes in hexadecimal. */
export const randomId = (random: Random, bytes: number): string =>
  Array.from(random.bytes(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
