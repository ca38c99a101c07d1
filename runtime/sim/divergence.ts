import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { LimitExceeded } from '../errors.ts'
import { limits } from '../limits.ts'

/** Lines that are at hand, or a run that gives each line of its trace as it comes; it may fail, as runs do. */
export type Lines = Iterable<string> | ((onLine: (line: string) => void) => Promise<unknown>)

/** The first line in which two runs are not the same. */
export interface Divergence {
  /** From 1. */
  readonly line: number
  /** Undefined where that run has ended. */
  readonly first: string | undefined
  readonly second: string | undefined
  /** The last lines that both have, oldest first. */
  readonly before: readonly string[]
}

const LINES_BEFORE = 10
const LINES_PER_BLOCK = 4_096
/** Of zlib: a line of a trace takes a quarter of its length, and a microsecond. */
const LEVEL = 3

/**
 * Where the second run parts from the first, or undefined when they are the same to the end. Each runs once: one that
 * no seed repeats could not be asked for its lines again, so those of the first are kept, compressed.
 * @throws LimitExceeded when the first has more than `limits.recordedLines`, and these are the same; what made a run
 * fail, when the lines are the same nevertheless
 */
export async function divergence(first: Lines, second: Lines): Promise<Divergence | undefined> {
  const recording = new Recording()
  const failures = [await give(first, (line) => recording.add(line))]
  const lines = recording.lines()
  const before: string[] = []
  let line = 0
  let found: Divergence | undefined
  const compare = (second: string | undefined): void => {
    if (found || line >= recording.kept && recording.isCut) return
    const first = lines.next().value
    line++
    if (first !== second) found = { line, first, second, before }
    else if (second !== undefined && before.push(second) > LINES_BEFORE) before.shift()
  }
  failures.push(await give(second, compare))
  compare(undefined)
  if (found) return found
  if (recording.isCut) throw new LimitExceeded(`A run has more lines than are recorded: ${limits.recordedLines}`)
  for (const failure of failures) if (failure) throw failure.error
  return undefined
}

/** For people: the place, the lines before it, then the line of the first run (`-`) and that of the second (`+`). */
export function describe({ line, first, second, before }: Divergence): string {
  const ended = '(it has ended)'
  const common = before.map((same) => `  ${same}`)
  return [`The runs part at line ${line}`, ...common, `- ${first ?? ended}`, `+ ${second ?? ended}`].join('\n')
}

async function give(lines: Lines, onLine: (line: string) => void): Promise<{ readonly error: unknown } | undefined> {
  try {
    if (typeof lines === 'function') await lines(onLine)
    else for (const line of lines) onLine(line)
  } catch (error) {
    return { error }
  }
  return undefined
}

class Recording {
  kept = 0
  /** There were more lines than are kept. */
  isCut = false
  readonly #blocks: Uint8Array[] = []
  #block: string[] = []

  /** Never throws: a simulation has nobody who would catch it. */
  add(line: string): void {
    if (this.kept >= limits.recordedLines) return void (this.isCut = true)
    this.kept++
    if (this.#block.push(line) < LINES_PER_BLOCK) return
    this.#blocks.push(deflateRawSync(JSON.stringify(this.#block), { level: LEVEL }))
    this.#block = []
  }

  *lines(): Generator<string, undefined> {
    for (const block of this.#blocks) yield* JSON.parse(inflateRawSync(block).toString()) as string[]
    yield* this.#block
    return undefined
  }
}
