import { limits } from '../../runtime/limits.ts'
import { isBelieved } from './hosts-in.ts'

/**
 * For how long hosts have been lost, by the clock of whoever reads that: neither two wall clocks nor a start of the
 * scheduler make that longer than it was.
 */
export class Silence {
  readonly #since = new Map<string, number>()

  /**
   * @returns those that were lost for `limits.hostLostMs` without a break
   * @param hosts all that there are: while most are lost none has been for long, since they come back one by one
   * @param at monotonic milliseconds
   */
  look(called: ReadonlySet<string>, hosts: readonly string[], at: number): ReadonlySet<string> {
    const lost = isBelieved(called, hosts) ? called : new Set<string>()
    for (const name of this.#since.keys()) if (!lost.has(name)) this.#since.delete(name)
    for (const name of lost) if (!this.#since.has(name)) this.#since.set(name, at)
    return new Set([...this.#since].filter(([, since]) => at - since >= limits.hostLostMs).map(([name]) => name))
  }

  /** Milliseconds until the next of them has been lost for so long; undefined where none will be. */
  nextMs(at: number): number | undefined {
    const left = [...this.#since.values()].map((since) => since + limits.hostLostMs - at).filter((ms) => ms > 0)
    return left.length === 0 ? undefined : Math.min(...left)
  }
}
