import { limits } from '../../../runtime/limits.ts'
import type { Cancel, Clock, Keys, Random } from '../../../runtime/platform/ports.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import type { Pair } from './hub.ts'
import type { Target } from './origins.ts'

/** What a sign-in gave, until the app's host fetches it. */
export interface SignedIn {
  readonly target: Target
  /** Digest of what the browser that began it holds at the app's host. */
  readonly state: string
  readonly pair: Pair
}

export interface Codes {
  /** A name for it that nobody can guess, good for one look within `limits.signInCodeMs`. */
  put(signedIn: SignedIn): string
  /** Undefined for a code that is unknown, was taken, or is too old. */
  take(code: string): SignedIn | undefined
  /** Forgets all. */
  close(): void
}

const CODE_BYTES = 16

interface Kept {
  readonly signedIn: SignedIn
  readonly cancel: Cancel
}

/** Held in memory: codes of a gateway that died are gone, and people sign in again. */
export function createCodes(options: {
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  /** Nobody came for it: its session serves nobody. */
  readonly abandoned: (signedIn: SignedIn) => void
}): Codes {
  const { clock, random, keys, abandoned } = options
  const kept = new Map<string, Kept>()
  // Looked up by digest, so that the time of a look-up tells nothing about codes that there are
  const digest = (code: string): string => toBase64url(keys.hash(new TextEncoder().encode(code)))
  const drop = (name: string): void => {
    const found = kept.get(name)
    if (!found) return
    kept.delete(name)
    found.cancel()
    abandoned(found.signedIn)
  }
  return {
    put(signedIn) {
      const code = toBase64url(random.bytes(CODE_BYTES))
      const name = digest(code)
      if (kept.size >= limits.signInCodes) drop(kept.keys().next().value!)
      kept.set(name, { signedIn, cancel: clock.after(limits.signInCodeMs, () => drop(name)) })
      return code
    },
    take(code) {
      const name = digest(code)
      const found = kept.get(name)
      if (!found) return undefined
      kept.delete(name)
      found.cancel()
      return found.signedIn
    },
    close() {
      for (const { cancel } of kept.values()) cancel()
      kept.clear()
    },
  }
}
