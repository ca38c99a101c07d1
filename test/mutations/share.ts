import { spawnSync } from 'node:child_process'

/** How many commits it takes, about, until each guard was taken out once. */
const shares = 4

/** Of a folder without git the first one. */
function commit(): number {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
  return /^[0-9a-f]{8}/.test(stdout ?? '') ? Number.parseInt(stdout.slice(0, 8), 16) : 0
}

/** The share of this commit. Neighbours in the table, which mostly have one judge, stay together. */
export function shareOf<T>(all: readonly T[], of = shares, number = commit()): readonly T[] {
  const at = number % of
  return all.slice(Math.floor(all.length * at / of), Math.floor(all.length * (at + 1) / of))
}
