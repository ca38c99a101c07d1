import { LimitExceeded } from '../../runtime/errors.ts'
import { describe, divergence, type Divergence } from '../../runtime/sim/divergence.ts'
import { diagram } from '../diagram.ts'
import { SimulationBroken, Usage } from '../errors.ts'
import { jsonLine, printable } from '../printable.ts'
import { pairs, stepRow, type StepRow } from '../render.ts'
import { bootSequence } from '../sequences.ts'
import { placeOf, struckLines, timeOf } from '../sim/report.ts'
import { commandOf, drawn, drawnNames, type RunOptions } from '../sim/options.ts'
import { planFaults } from '../sim/plan.ts'
import type { RunReport } from '../sim/run.ts'
import { refuseUnused, scenarioNamed, type Scenario } from '../sim/scenarios.ts'
import type { Terminal } from '../terminal.ts'
import { givenOf, optionsOf, type SimOptions } from './sim.ts'
import { explainFailure, type ExplainedFailure } from './sim-failure.ts'
import { orInterrupted, perSecond, progress } from './sim-progress.ts'
import { openTrace, type TraceFile } from './sim-trace.ts'

/** One run, as it was asked for. */
export interface Setting {
  readonly scenario: Scenario
  readonly run: RunOptions
  /** Faults of the plan, whether they strike or not. */
  readonly planned: number
}

interface Made {
  readonly report: RunReport
  /** Where a second run was not the same. */
  readonly parted: Divergence | undefined
  /** Of the trace, both runs together, and the seconds that they took. */
  readonly lines: number
  readonly seconds: number
}

/** @throws Usage, SimulationBroken, Interrupted; AlreadyExists, NotWritable and DiskFull of the trace */
export async function runOne(terminal: Terminal, options: SimOptions): Promise<void> {
  const setting = settingOf(options)
  const trace = options.trace === undefined ? undefined : openTrace(terminal, options.trace)
  const say = options.json ? () => {} : (line: string) => terminal.out(line)
  for (const line of headLines(options, setting)) say(line)
  const made = await make(terminal, options, setting, trace)
  const { report, parted } = made
  const again = commandOf(terminal.invocation, setting.run, setting.scenario)
  const drawing = options.diagram && diagramOf(report)
  for (const line of ['', ...struckLines(report), '']) say(line)
  for (const line of pairs([...resultRows(made, options), ...(report.failure ? [] : [['again', again] as const])])) {
    say(line)
  }
  if (drawing !== undefined) for (const line of ['', ...drawing.split('\n')]) say(line)
  if (parted) for (const line of ['', ...describe(parted).split('\n').map(printable)]) say(line)
  const failure = report.failure && await explainFailure(terminal, options, { ...setting, report })
  if (failure) for (const line of ['', ...failure.lines]) say(line)
  const error = errorOf(setting, parted, failure)
  if (options.json) {
    terminal.out(jsonLine({
      ...figuresOf(options, setting, made), again: failure?.data.again ?? again,
      ...(drawing === undefined ? {} : { diagram: drawing }), ...(failure ? { failure: failure.data } : {}),
      ...(error ? { error: { code: error.code, message: error.message, next: error.details['next'] } } : {}),
    }))
  }
  if (error) throw error
}

/** @throws Usage */
function settingOf(options: SimOptions): Setting {
  const scenario = scenarioNamed(options.scenario, options.oods)
  refuseUnused(scenario, givenOf(options))
  const run = optionsOf(options)
  const planned = scenario.isCase ? 0 : planFaults(run).length
  const outside = run.only?.filter((index) => index >= planned) ?? []
  if (outside.length > 0) {
    const next = planned === 0 ? 'This scenario has no plan: leave --only out'
      : `The plan of this seed and these options has the indices 0 to ${planned - 1}`
    throw new Usage(`--only names faults that are not in the plan: ${outside.join(', ')}`, { next })
  }
  return { scenario, run, planned }
}

function headLines(options: SimOptions, { scenario, run, planned }: Setting): readonly string[] {
  const which = run.only === undefined ? '' : `, of which these may strike: ${run.only.join(', ') || 'none'}`
  const decided = drawn(givenOf(options), run).filter(([name]) => !scenario.isCase || name === 'keys')
  return pairs([
    ['seed', String(run.seed)], ['scenario', `${scenario.name}: ${scenario.what}`], ...decided,
    ['planned', `${planned} faults${which}`],
  ])
}

/** Runs it, once or twice; the trace is that of the first. */
async function make(
  terminal: Terminal, options: SimOptions, { scenario, run }: Setting, trace: TraceFile | undefined,
): Promise<Made> {
  const began = terminal.elapsedMs()
  let lines = 0
  const tick = progress(terminal, options, (seconds) =>
    `seed ${run.seed}  ${lines} lines of trace, ${perSecond(lines, seconds)}`)
  const simulate = (onLine: (line: string) => void): Promise<RunReport> => scenario.run(run, {
    onLine(line) {
      lines++
      tick()
      onLine(line)
    },
  })
  const once = async (onLine = (_: string): void => {}): Promise<RunReport> => simulate((line) => {
    trace?.write(line)
    onLine(line)
  })
  const twice = async (): Promise<readonly [RunReport, Divergence | undefined]> => {
    let first: RunReport | undefined
    const parted = await divergence(async (onLine) => void (first = await once(onLine)), simulate)
    return [first!, parted]
  }
  const work = options.verify ? twice().catch(tooLong) : once().then((report) => [report, undefined] as const)
  try {
    const [report, parted] = await orInterrupted(terminal, work)
    return { report, parted, lines, seconds: (terminal.elapsedMs() - began) / 1_000 }
  } finally {
    trace?.close()
  }
}

function tooLong(error: unknown): never {
  if (!(error instanceof LimitExceeded)) throw error
  throw new LimitExceeded(`${error.message}; as far as that, the two are the same`, { next: 'Say fewer --hours' })
}

function diagramOf({ options, steps }: RunReport): string {
  const beganMs = steps[0]?.at ?? 0
  const rows = steps.map((event) => stepRow(event, beganMs)).filter((row): row is StepRow => row !== undefined)
  return diagram(`${bootSequence.title}, seed ${options.seed}`, rows)
}

const countsText = (counts: object): string => {
  const happened = Object.entries(counts).filter(([, count]) => count > 0)
  return happened.map(([name, count]) => `${name} ${count}`).join(', ') || 'none'
}

function resultRows({ report, parted, lines, seconds }: Made, { verify }: SimOptions) {
  const { points, wires, work, boots, hash, events, virtualMs } = report
  return [
    ['points hit', countsText(points)], ['frames', countsText(wires)], ['at the desk', countsText(work ?? {})],
    ['boots', String(boots)], ['virtual time', timeOf(virtualMs)],
    ['events', `${events}, ${perSecond(lines, seconds)}`], ...(hash === '' ? [] : [['hash', hash] as const]),
    ...(verify && !parted ? [['verified', 'a second run is the same, line by line'] as const] : []),
  ] as const
}

function figuresOf(options: SimOptions, { scenario, run, planned }: Setting, { report, parted }: Made) {
  const { hash, events, virtualMs, boots, struck, points, wires, work } = report
  const { seed, oods, nodes, hours, faults, keys, store, only } = run
  return {
    seed, hash, events, virtualMs, scenario: scenario.name, options: { oods, nodes, hours, faults, keys, store, only },
    drawn: drawnNames(givenOf(options)), planned, boots, struck: struckData(struck), points, wires, work,
    ...(options.verify ? { verified: parted === undefined } : {}), ...(parted ? { parted } : {}),
  }
}

export const struckData = (struck: RunReport['struck']) => struck.map(({ fault, atMs, step }) =>
  ({ index: fault.index, kind: fault.kind, host: placeOf(fault), atMs, step, lengthMs: fault.lengthMs }))

function errorOf({ run }: Setting, parted: Divergence | undefined, failure: ExplainedFailure | undefined) {
  const next = 'SIMULATION.md says how to read this; the command after "again" gives the same run'
  if (failure) return new SimulationBroken(failure.message, { next, shown: true })
  const message = parted && `Two runs of seed ${run.seed} part at line ${parted.line} of their traces`
  return message === undefined ? undefined : new SimulationBroken(message, { next, shown: true })
}
