import { limits } from '../../runtime/limits.ts'
import type { Random } from '../../runtime/platform/ports.ts'

/** Characters that are not taken for one another when read aloud or copied by hand. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'
const GROUPS = 5
const GROUP_LENGTH = 5

/** 25 characters in groups: 123 bits. */
export function readablePassword(random: Random): string {
  const characters: string[] = []
  while (characters.length < GROUPS * GROUP_LENGTH) {
    for (const byte of random.bytes(32)) {
      // Bytes beyond the last full alphabet would make its first letters likelier
      if (byte < ALPHABET.length * 8) characters.push(ALPHABET[byte % ALPHABET.length]!)
    }
  }
  return Array.from({ length: GROUPS }, (_, group) =>
    characters.slice(group * GROUP_LENGTH, (group + 1) * GROUP_LENGTH).join('')).join('-')
}

/** What guessing begins with, in lower case. */
const COMMON: ReadonlySet<string> = new Set([
  'password', 'passw0rd', 'password1', 'password12', 'password123', 'qwertyuiop', 'qwerty123', 'iloveyou', 'sunshine',
  'princess', 'football', 'baseball', 'superman', 'trustno1', 'letmein1', 'welcome1', 'changeme', 'administrator',
  '1q2w3e4r', '1qaz2wsx', 'abcd1234', 'zonewright',
])

/**
 * Why it may not be set: half a sentence. NIST SP 800-63B §5.1.1.2: length is what counts, and what everybody tries
 * first is refused; no kinds of characters are asked for.
 */
export function passwordFault(username: string, password: string): string | undefined {
  const characters = [...password]
  const bytes = new TextEncoder().encode(password).length
  const lower = password.toLowerCase()
  if (characters.length < limits.passwordCharactersMin) {
    return `it must have at least ${limits.passwordCharactersMin} characters`
  }
  if (bytes > limits.passwordBytes) return `it must have at most ${limits.passwordBytes} bytes`
  if (lower.includes(username.toLowerCase()) && characters.length < username.length + limits.passwordCharactersMin) {
    return 'it must not be made of the user name'
  }
  if (new Set(characters).size < 4 || isRun(characters)) return 'it must not be one character or one row of them'
  return COMMON.has(lower) ? 'it is among those that are tried first' : undefined
}

/** 12345678, abcdefgh, 87654321. */
function isRun(characters: readonly string[]): boolean {
  const points = characters.map((one) => one.codePointAt(0)!)
  return new Set(points.slice(1).map((point, index) => point - points[index]!)).size === 1
}
