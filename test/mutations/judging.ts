/**
 * Takes guards out, one at a time, and asks their judges. On Node only: what is taken out is taken out by a build, and
 * Deno runs the sources.
 */
import { rmSync } from 'node:fs'
import process from 'node:process'
import { execute, type Ended } from '../execute.ts'
import type { Change, EntryBuild } from './entry-build.d.mts'
import type { Guard } from './guard.ts'

/** How a judge fared, by what it printed. A process that ended without a summary has judged nothing. */
export type Verdict =
  | { readonly verdict: 'passed' }
  | { readonly verdict: 'failed'; readonly tests: readonly string[] }
  | { readonly verdict: 'none'; readonly why: string }

/** One; a judge that runs longer because of a guard that is missing has not judged. */
const judgeSeconds = 30
const inParallel = 2

const lastCount = (output: string, word: string): number | undefined => {
  const found = [...output.matchAll(new RegExp(`^ {2}${word}: +(\\d+)$`, 'gm'))].at(-1)?.[1]
  return found === undefined ? undefined : Number(found)
}

export function verdictOf({ late, output }: Pick<Ended, 'late' | 'output'>): Verdict {
  const [total, passed] = [lastCount(output, 'Total'), lastCount(output, 'Passed')]
  if (late) return { verdict: 'none', why: `it took more than ${judgeSeconds} s` }
  if (total === undefined || total === 0 || passed === undefined) {
    return { verdict: 'none', why: `it did not run to its end: ${output.trim().slice(-500)}` }
  }
  if (passed === total) return { verdict: 'passed' }
  return { verdict: 'failed', tests: [...output.matchAll(/^ {3}FAIL .*?"(.*)"$/gm)].map(([, name = '']) => name) }
}

/** Why the guard was not noticed to be missing; undefined when it was. */
export function unnoticed({ judge: { file, test } }: Pick<Guard, 'judge'>, verdict: Verdict): string | undefined {
  if (verdict.verdict === 'passed') return `${file} passes without it`
  if (verdict.verdict === 'none') return `${file} has not judged: ${verdict.why}`
  if (test === undefined || verdict.tests.includes(test)) return undefined
  return `${file} fails without it, but not in this test: ${test} (in: ${verdict.tests.join('; ')})`
}

/** `undefined` for the guard: the same build with all guards, whose judge has to pass. */
export interface Trial {
  readonly file: string
  readonly guard: Guard | undefined
}

export const trialsOf = (guards: readonly Guard[]): readonly Trial[] =>
  [...new Set(guards.map(({ judge }) => judge.file))].flatMap((file): readonly Trial[] => [
    { file, guard: undefined },
    ...guards.filter(({ judge }) => judge.file === file).map(guard => ({ file, guard })),
  ])

/** Runs them, two at a time; each settles when its turn has come. */
export async function judgeAll(trials: readonly Trial[]): Promise<ReadonlyMap<Trial, Promise<Verdict>>> {
  // At its own place, and never bundled: it reads sources
  const module = new URL('test/mutations/entry-build.mjs', `file://${process.cwd()}/`).href
  const { openEntry } = await import(module) as typeof import('./entry-build.d.mts')
  const benches = new Map<string, Bench>()
  const judge = async (trial: Trial, number: number): Promise<Verdict> => {
    const { file, guard } = trial
    const bench = benches.get(file) ?? new Bench(openEntry(file), trials.filter(other => other.file === file).length)
    benches.set(file, bench)
    const into = `mutations/${process.pid}-${number}`
    try {
      await bench.build(into, guard && { path: guard.file, from: guard.guard, to: guard.without })
      const built = `dist/${into}/${file.replace(/\.ts$/, '.js')}`
      return verdictOf(await execute([process.execPath, built], judgeSeconds))
    } finally {
      await bench.done()
      rmSync(`dist/${into}`, { recursive: true, force: true })
    }
  }
  const free = Array.from({ length: inParallel }, () => Promise.resolve())
  return new Map(trials.map((trial, number) => {
    const lane = number % inParallel
    const verdict = free[lane]!.then(() => judge(trial, number))
    verdict.catch(() => {})
    free[lane] = verdict.then(() => {}, () => {})
    return [trial, verdict]
  }))
}

/** The builds of one judge: one at a time, since they share what was parsed. */
class Bench {
  readonly #entry: Promise<EntryBuild>
  #left: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(entry: Promise<EntryBuild>, trials: number) {
    this.#entry = entry
    this.#left = trials
    entry.catch(() => {})
  }

  build(into: string, change: Change | undefined): Promise<void> {
    const built = this.#last.then(async () => (await this.#entry).build(into, change))
    this.#last = built.catch(() => {})
    return built
  }

  async done(): Promise<void> {
    this.#left--
    if (this.#left === 0) await this.#entry.then(entry => entry.close(), () => {})
  }
}
