import type { Random } from '../../runtime/platform/ports.ts'
import { fraction } from '../../runtime/restart.ts'

/** Where the control plane may be reached: one after the other, and round again. */
export interface Servers {
  /** HOST:PORT. */
  readonly now: string
  next(): void
}

/**
 * Those that the control plane has told go first, each host beginning elsewhere, so that not all of a zone go to the
 * same one; then those that this host has joined by, which may be the only ones that it reaches. One that it has
 * joined by and that is told still is where it begins.
 */
export function createServers(given: readonly string[], told: () => readonly string[], random: Random): Servers {
  const share = fraction(random.fork('servers'))
  const all = (): readonly string[] => {
    const known = told()
    const from = Math.floor(share * known.length)
    return [...new Set([...known.slice(from), ...known.slice(0, from), ...given])]
  }
  let now = given.find((server) => told().includes(server)) ?? all()[0]!
  return {
    get now() { return now },
    next() {
      const list = all()
      // Of one that is told no more, the first is next
      now = list[(list.indexOf(now) + 1) % list.length]!
    },
  }
}
