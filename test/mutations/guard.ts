import type { GivenOptions } from '../../boot/sim/options.ts'

/** One safety guard of the production code, and which test or seed fails when it is taken out. */
export interface Guard {
  /** What holds because of it. */
  readonly name: string
  readonly file: string
  /** Its text in the file, where it stands exactly once. */
  readonly guard: string
  /** What stands there without it. */
  readonly without: string
  readonly judge: Judge
}

/** A test file, and the test in it that has to fail among others; without a name, any. */
export interface TestJudge {
  readonly by: 'test'
  readonly file: string
  readonly test?: string
}

/** A simulated run, and the invariant that it breaks. */
export interface SeedJudge {
  readonly by: 'seed'
  readonly seed: number
  readonly options: Omit<GivenOptions, 'seed'> & {
    /** Default: a zone under faults. Of all but `years` the seed is the case. */
    readonly scenario?: 'years' | 'migrate' | 'placement' | 'hosts' | 'oods'
    readonly years?: number
  }
  readonly invariant: string
}

export type Judge = TestJudge | SeedJudge

/** A guard behind which another stands: without it nothing gets in, and `second` says what stops it. */
export interface SecondLine extends Omit<Guard, 'judge' | 'without'> {
  readonly second: string
}

export type Row = readonly [name: string, guard: string, without: string, test?: string]

/** The guards of one source that one test file judges. */
export const guardsOf = (file: string, judge: string, ...rows: readonly Row[]): readonly Guard[] =>
  rows.map(([name, guard, without, test]) => ({
    name, file, guard, without, judge: { by: 'test', file: judge, ...(test === undefined ? {} : { test }) },
  }))
