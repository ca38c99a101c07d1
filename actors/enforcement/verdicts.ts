import { limits } from '../../runtime/limits.ts'
import { SKEW_SECONDS_MAX, type Acceptance } from '../../runtime/trust/verify.ts'

interface Kept { readonly verdict: Acceptance; readonly generation: number }

/**
 * Tokens that were accepted, by their text: the same text has the same signature. What may change meanwhile is asked
 * each time: the clock, which keys are trusted (`generation`), whom it is for. In two halves: when one is full the
 * older is forgotten whole. Deleting one by one costs more than it saves.
 */
export class Verdicts {
  #recent = new Map<string, Kept>()
  #older = new Map<string, Kept>()

  /** Whether the session has ended is for the caller to ask. */
  get(token: string, generation: number, audience: string, nowSeconds: number): Acceptance | undefined {
    const kept = this.#recent.get(token) ?? this.#older.get(token)
    if (!kept || kept.generation !== generation) return undefined
    const { claims } = kept.verdict
    if (claims.exp <= nowSeconds || claims.iat - nowSeconds > SKEW_SECONDS_MAX) return undefined
    return claims.aud.includes(audience) ? kept.verdict : undefined
  }

  /** A token that is good once is never kept. */
  keep(token: string, generation: number, verdict: Acceptance): void {
    if (verdict.rule.once) return
    if (this.#recent.size >= limits.tokenVerdicts / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(token, { verdict, generation })
  }
}
