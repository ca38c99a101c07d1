import { spawnSync } from 'node:child_process'

/** A number that each commit has another of; 0 without git. What a run cannot do whole, it does in shares. */
export function commitNumber(): number {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
  return /^[0-9a-f]{8}/.test(stdout ?? '') ? Number.parseInt(stdout.slice(0, 8), 16) : 0
}

/**
 * Of what takes long and is the same on each runtime, the half of this one: Node has the other half, or Deno, and with
 * another commit it may be the other way round.
 */
export const halfOf = <T>(all: readonly T[]): readonly T[] => {
  const first = (commitNumber() + Number('Deno' in globalThis)) % 2
  return all.filter((_, index) => index % 2 === first)
}
