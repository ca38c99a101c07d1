import { spawnSync } from 'node:child_process'

/** How many commits it takes, about, until each guard was taken out once. */
const shares = 6

/** Of a folder without git the first one. */
function commit(): number {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
  return /^[0-9a-f]{8}/.test(stdout ?? '') ? Number.parseInt(stdout.slice(0, 8), 16) : 0
}

/** The share of this commit: every so many, so that each share has as much of the slow judges as the others. */
export const shareOf = <T>(all: readonly T[], of = shares, number = commit()): readonly T[] =>
  all.filter((_, index) => index % of === number % of)
