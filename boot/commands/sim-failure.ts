import { limits } from '../../runtime/limits.ts'
import { printable } from '../printable.ts'
import { styleOf } from '../render.ts'
import { commandOf } from '../sim/options.ts'
import { failureLines, isUnexpected, promiseOf, struckLines, traceDiagram } from '../sim/report.ts'
import type { RunReport } from '../sim/run.ts'
import { shrink, type Shrunk } from '../sim/shrink.ts'
import type { Terminal } from '../terminal.ts'
import type { SimOptions } from './sim.ts'
import { struckData, type Setting } from './sim-one.ts'

export interface ExplainedFailure {
  readonly message: string
  readonly lines: readonly string[]
  readonly data: { readonly again: string } & Readonly<Record<string, unknown>>
}

const STACK_FRAMES = 8

/** What broke, and the shortest way to see it again. What is told is what that way gives. */
export async function explainFailure(
  terminal: Terminal, options: SimOptions, given: Setting & { readonly report: RunReport },
): Promise<ExplainedFailure> {
  const shrunk = options.shrink && given.report.plan.length > 0 ? await shrinkOf(terminal, options, given) : undefined
  const report = shrunk?.report ?? given.report
  const failure = report.failure!
  const { invariant, detail, virtualMs, lastLines } = failure
  const asked = shrunk ? { ...given.run, only: shrunk.only } : given.run
  const again = commandOf(terminal.invocation, asked, given.scenario)
  const title = `${invariant}, seed ${report.options.seed}`
  const drawing = traceDiagram(title, lastLines)
  const { source, what } = promiseOf(invariant)
  const stack = options.debug || isUnexpected(failure) ? await stackOf(given, shrunk) : ''
  return {
    message: `The run broke ${invariant}: ${detail}`,
    lines: [
      ...failureLines(report, failure, styleOf(terminal.colours)),
      ...(stack === '' ? [] : stack.split('\n').map(printable)),
      '', ...(shrunk ? [shrunkLine(given.report, shrunk)] : []), ...struckLines(report),
      '', ...drawing.split('\n'),
      '', '  again', `    ${again}`,
    ],
    data: {
      again, invariant, source, what, detail, virtualMs, events: report.events, boots: report.boots,
      struck: struckData(report.struck), lastLines, diagram: drawing, ...(stack === '' ? {} : { stack }),
      ...(shrunk ? { shrunk: shrunkData(given.report, shrunk) } : {}),
    },
  }
}

/** A run is quicker without stacks, and the same with them: it is made once more. */
async function stackOf({ scenario, run }: Setting, shrunk: Shrunk | undefined): Promise<string> {
  const options = shrunk ? { ...run, only: shrunk.only } : run
  return (await scenario.run(options, { stackFrames: STACK_FRAMES })).failure?.stack ?? ''
}

/** Says of each try on a terminal where it stands; Ctrl-C ends the search with what it has found. */
async function shrinkOf(
  terminal: Terminal, options: SimOptions, { scenario, run: asked, report }: Setting & { readonly report: RunReport },
): Promise<Shrunk> {
  let isOver = false
  void terminal.interrupted().then(() => (isOver = true))
  const isTold = !options.json && terminal.columns !== undefined
  return shrink(report, (only) => scenario.run({ ...asked, only }, {}), {
    isOver: () => isOver,
    onTry({ run, left, tried }) {
      if (isTold) terminal.error(`shrinking  run ${run} of ${limits.shrinkRuns} at most: ${tried} of ${left} faults`)
    },
  })
}

const shrunkLine = (before: RunReport, { only, runs, isMinimal }: Shrunk): string =>
  `Shrunk from ${before.plan.length} planned faults to ${only.length} in ${runs} runs; `
  + (isMinimal ? 'none can be left out' : 'the search was cut: fewer may do')

const shrunkData = ({ plan, failure }: RunReport, { only, runs, isMinimal }: Shrunk) => ({
  only, runs, isMinimal, before: { planned: plan.length, detail: failure!.detail, virtualMs: failure!.virtualMs },
})
