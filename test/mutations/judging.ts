/**
 * Takes guards out, one at a time, and asks their judges. On Node only: what is taken out is taken out by a build, and
 * Deno runs the sources.
 */
import { rmSync } from 'node:fs'
import process from 'node:process'
import { execute, type Ended } from '../execute.ts'
import type { Change, EntryBuild } from './entry-build.d.mts'
import type { Guard, Judge } from './guard.ts'

/** How a judge fared, by what it printed. A process that ended without a summary has judged nothing. */
export type Verdict =
  | { readonly verdict: 'passed' }
  | { readonly verdict: 'failed'; readonly by: readonly string[] }
  | { readonly verdict: 'none'; readonly why: string }

/** One; a judge that runs longer because of a guard that is missing has not judged. */
const judgeSeconds = 30
const inParallel = 2

const lastCount = (output: string, word: string): number | undefined => {
  const found = [...output.matchAll(new RegExp(`^ {2}${word}: +(\\d+)$`, 'gm'))].at(-1)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** What is run to judge, and with which words. */
const programOf = (judge: Judge): readonly [file: string, ...words: string[]] =>
  (judge.by === 'test' ? [judge.file] : ['test/mutations/simulated.ts', JSON.stringify(ofSeed(judge))])

const ofSeed = ({ seed, options }: Extract<Judge, { by: 'seed' }>) => ({ ...options, seed })

/** Of whoever judges, for people. */
export const judgeName = (judge: Judge): string =>
  (judge.by === 'test' ? judge.file : `a run with ${JSON.stringify(ofSeed(judge))}`)

/** The name of the test that fails without the guard, or of the invariant that is broken. */
const named = (judge: Judge): string | undefined => (judge.by === 'test' ? judge.test : judge.invariant)

type Printed = Pick<Ended, 'late' | 'output'>

export const verdictOf = (judge: Pick<Judge, 'by'>, printed: Printed): Verdict =>
  (judge.by === 'test' ? verdictOfTest(printed) : verdictOfSeed(printed))

function verdictOfSeed({ late, output }: Printed): Verdict {
  if (late) return { verdict: 'none', why: `it took more than ${judgeSeconds} s` }
  const [, broken] = /^judged(?: ([\w-]+))?$/m.exec(output) ?? ['', output.trim().slice(-500)]
  if (!/^judged/m.test(output)) return { verdict: 'none', why: `it did not run to its end: ${broken}` }
  return broken === undefined ? { verdict: 'passed' } : { verdict: 'failed', by: [broken] }
}

function verdictOfTest({ late, output }: Printed): Verdict {
  const [total, passed] = [lastCount(output, 'Total'), lastCount(output, 'Passed')]
  if (late) return { verdict: 'none', why: `it took more than ${judgeSeconds} s` }
  if (total === undefined || total === 0 || passed === undefined) {
    return { verdict: 'none', why: `it did not run to its end: ${output.trim().slice(-500)}` }
  }
  if (passed === total) return { verdict: 'passed' }
  return { verdict: 'failed', by: [...output.matchAll(/^ {3}FAIL .*?"(.*)"$/gm)].map(([, name = '']) => name) }
}

/** Why the guard was not noticed to be missing; undefined when it was. */
export function unnoticed({ judge }: Pick<Guard, 'judge'>, verdict: Verdict): string | undefined {
  const [who, wanted] = [judgeName(judge), named(judge)]
  if (verdict.verdict === 'passed') return `${who} passes without it`
  if (verdict.verdict === 'none') return `${who} has not judged: ${verdict.why}`
  if (wanted === undefined || verdict.by.includes(wanted)) return undefined
  return `${who} fails without it, but not by this: ${wanted} (by: ${verdict.by.join('; ')})`
}

/** `undefined` for the guard: the same build with all guards, whose judge has to pass. */
export interface Trial {
  readonly judge: Judge
  readonly guard: Guard | undefined
}

export function trialsOf(guards: readonly Guard[]): readonly Trial[] {
  const programs = new Map<string, Guard[]>()
  for (const guard of guards) {
    const program = programOf(guard.judge).join(' ')
    programs.set(program, [...programs.get(program) ?? [], guard])
  }
  return [...programs.values()].flatMap((judged): readonly Trial[] => [
    { judge: judged[0]!.judge, guard: undefined }, ...judged.map(guard => ({ judge: guard.judge, guard })),
  ])
}

/** Runs them, two at a time; each settles when its turn has come. */
export async function judgeAll(trials: readonly Trial[]): Promise<ReadonlyMap<Trial, Promise<Verdict>>> {
  // At its own place, and never bundled: it reads sources
  const module = new URL('test/mutations/entry-build.mjs', `file://${process.cwd()}/`).href
  const { openEntry } = await import(module) as typeof import('./entry-build.d.mts')
  const benches = new Map<string, Bench>()
  const judged = async (trial: Trial, number: number): Promise<Verdict> => {
    const { judge, guard } = trial
    const [file, ...words] = programOf(judge)
    const ofFile = trials.filter(other => programOf(other.judge)[0] === file).length
    const bench = benches.get(file) ?? new Bench(openEntry(file), ofFile)
    benches.set(file, bench)
    const into = `mutations/${process.pid}-${number}`
    try {
      await bench.build(into, guard && { path: guard.file, from: guard.guard, to: guard.without })
      const built = `dist/${into}/${file.replace(/\.ts$/, '.js')}`
      return verdictOf(judge, await execute([process.execPath, built, ...words], judgeSeconds))
    } finally {
      await bench.done()
      rmSync(`dist/${into}`, { recursive: true, force: true })
    }
  }
  const free = Array.from({ length: inParallel }, () => Promise.resolve())
  return new Map(trials.map((trial, number) => {
    const lane = number % inParallel
    const verdict = free[lane]!.then(() => judged(trial, number))
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
