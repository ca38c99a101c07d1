import { limits } from '../../runtime/limits.ts'
import type { RunReport } from './run.ts'

export interface Shrunk {
  /** Indices of the plan that are enough for the failure. */
  readonly only: readonly number[]
  /** Of the run with only those. */
  readonly report: RunReport
  readonly runs: number
  /** No single one of them can be left out. False where the limit, or a person, ended the search before. */
  readonly isMinimal: boolean
}

export interface ShrinkHooks {
  /** Before each run: how many faults are left, and how many are tried. */
  readonly onTry?: (progress: { readonly run: number; readonly left: number; readonly tried: number }) => void
  /** Asked before each run. */
  readonly isOver?: () => boolean
}

/**
 * The shortest schedule of faults that still breaks the same invariant, as far as leaving out finds it: ddmin (Zeller
 * and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002) over the indices of the plan. A run of fewer
 * faults is another run, so what else it breaks does not count.
 */
export async function shrink(
  failed: RunReport, run: (only: readonly number[]) => Promise<RunReport>, { onTry, isOver }: ShrinkHooks = {},
): Promise<Shrunk> {
  const invariant = failed.failure?.invariant
  let found: Pick<Shrunk, 'only' | 'report'> = { only: failed.plan.map(({ index }) => index), report: failed }
  let runs = 0
  let isCut = false
  const tried = new Set<string>()
  const breaks = async (only: readonly number[]): Promise<boolean> => {
    const key = only.join()
    if (tried.has(key)) return false
    isCut ||= runs >= limits.shrinkRuns || isOver?.() === true
    if (isCut) return false
    tried.add(key)
    runs++
    onTry?.({ run: runs, left: found.only.length, tried: only.length })
    const report = await run(only)
    if (report.failure?.invariant !== invariant) return false
    found = { only, report }
    return true
  }
  const done = (): Shrunk => ({ ...found, runs, isMinimal: !isCut })
  // Most often it takes none of them, or only those that came to strike
  if (found.only.length === 0 || await breaks([])) return done()
  const struck = inOrder(failed.struck.map(({ fault }) => fault.index))
  if (struck.length > 0 && struck.length < found.only.length) await breaks(struck)
  let parts = 2
  while (found.only.length > 1) {
    const { only } = found
    const chunks = split(only, Math.min(parts, only.length))
    if (await anyBreaks(chunks, breaks)) parts = 2
    else if (chunks.length > 2 && await anyBreaks(chunks.map((chunk) => without(only, chunk)), breaks)) {
      parts = Math.max(chunks.length - 1, 2)
    } else if (chunks.length === only.length) break
    else parts = Math.min(2 * chunks.length, only.length)
  }
  return done()
}

async function anyBreaks(
  candidates: readonly (readonly number[])[], breaks: (only: readonly number[]) => Promise<boolean>,
): Promise<boolean> {
  for (const candidate of candidates) if (await breaks(candidate)) return true
  return false
}

const inOrder = (indices: readonly number[]): readonly number[] => [...new Set(indices)].sort((a, b) => a - b)

const without = (all: readonly number[], some: readonly number[]): readonly number[] =>
  all.filter((index) => !some.includes(index))

function split(all: readonly number[], parts: number): readonly (readonly number[])[] {
  return Array.from({ length: parts }, (_, part) =>
    all.slice(Math.floor((part * all.length) / parts), Math.floor(((part + 1) * all.length) / parts)))
}
