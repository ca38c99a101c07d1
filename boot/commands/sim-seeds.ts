import { limits } from '../../runtime/limits.ts'
import { Interrupted, SimulationBroken, Usage } from '../errors.ts'
import { jsonLine, printable } from '../printable.ts'
import { pairs, styleOf } from '../render.ts'
import { addRun, coverageTable, gapLines, gaps, noTotals, type Totals } from '../sim/coverage.ts'
import { commandOf, drawnNames } from '../sim/options.ts'
import { timeOf } from '../sim/report.ts'
import type { RunReport } from '../sim/run.ts'
import { refuseUnused, scenarioNamed } from '../sim/scenarios.ts'
import type { Terminal } from '../terminal.ts'
import { givenOf, optionsOf, type SeedRange, type SimOptions } from './sim.ts'
import { orInterrupted, perSecond, progress } from './sim-progress.ts'

/** One run for each seed. @throws Usage, SimulationBroken when any of them failed, Interrupted after the summary */
export async function runSeeds(terminal: Terminal, options: SimOptions, { first, last }: SeedRange): Promise<void> {
  const count = last - first + 1
  checkCount(count)
  const scenario = scenarioNamed(options.scenario, options.oods)
  // What contradicts itself is said before anything runs
  refuseUnused(scenario, givenOf(options, first))
  optionsOf(options, first)
  const say = options.json ? () => {} : (line: string) => terminal.out(line)
  const style = styleOf(terminal.colours)
  say(`${count} seeds of ${scenario.name}; drawn from each: ${drawnNames(givenOf(options)).join(', ') || 'nothing'}`)
  const began = terminal.elapsedMs()
  const totals = noTotals()
  const runs: ReturnType<typeof runData>[] = []
  let lines = 0
  const failed = (): number => runs.filter(({ failure }) => failure !== undefined).length
  const tick = progress(terminal, options, (seconds) =>
    `${runs.length} of ${count} seeds, ${perSecond(lines, seconds)}, ${failed()} failed`)
  const onLine = (): void => {
    lines++
    tick()
  }
  let interrupted = false
  try {
    for (let seed = first; seed <= last; seed++) {
      const asked = optionsOf(options, seed)
      const report = await orInterrupted(terminal, scenario.run(asked, { onLine }))
      addRun(totals, report)
      const again = commandOf(terminal.invocation, asked, scenario)
      runs.push(runData(report, again))
      for (const line of seedLines(report, again, style.bad)) say(line)
      // Nobody would see the others, and there may be many
      if (terminal.readerGone.aborted && seed < last) throw new Interrupted('Whoever read the output has gone')
    }
  } catch (error) {
    if (runs.length === 0 || !(error instanceof Interrupted)) throw error
    interrupted = true
  }
  const seconds = (terminal.elapsedMs() - began) / 1_000
  for (const line of summaryLines(totals, { failed: failed(), lines, seconds })) say(line)
  const error = errorOf({ made: runs.length, count, failed: failed(), interrupted })
  if (options.json) {
    const { cells, points, wires, events, boots } = totals
    terminal.out(jsonLine({
      seeds: { first, last }, scenario: scenario.name, drawn: drawnNames(givenOf(options)), failed: failed(), runs,
      coverage: cells, points, wires, gaps: gaps(totals), boots, events, eventsPerSecond: Math.round(lines / seconds),
      ...(error ? { error: { code: error.code, message: error.message, next: error.details['next'] } } : {}),
    }))
  }
  if (error) throw error
}

function errorOf(
  { made, count, failed, interrupted }:
    { readonly made: number; readonly count: number; readonly failed: number; readonly interrupted: boolean },
) {
  if (interrupted) {
    return new Interrupted(`Interrupted after ${made} of ${count} seeds; ${failed} of them failed`, { shown: true })
  }
  if (failed === 0) return undefined
  const next = 'Run one of them alone, by its command after "again": it shows what happened'
  return new SimulationBroken(`${failed} of ${made} runs broke an invariant`, { next, shown: true })
}

function checkCount(count: number): void {
  if (count <= limits.simulatedSeeds) return
  throw new Usage(`One command simulates at most ${limits.simulatedSeeds} seeds: ${count}`, {
    next: 'Give a shorter range, one after the other',
  })
}

function seedLines(report: RunReport, again: string, bad: (text: string) => string): readonly string[] {
  const { options, events, virtualMs, struck, boots, hash, failure } = report
  const { seed, nodes, hours, faults, keys, store } = options
  const line = [
    `seed ${seed}`.padEnd(12), `nodes ${nodes}`.padEnd(8), `hours ${hours}`.padEnd(12),
    `faults ${faults}`.padEnd(12), `keys ${keys}`.padEnd(10), `store ${store}`.padEnd(14),
    `struck ${struck.length}`.padEnd(9), `boots ${boots}`.padEnd(8),
    `${events} events`.padEnd(13), timeOf(virtualMs).padStart(11), failure ? '' : hash.slice(0, 16),
  ].join('  ').trimEnd()
  if (!failure) return [line]
  return [line, `  ${bad('broken')}  ${printable(`${failure.invariant}: ${failure.detail}`)}`, `  again   ${again}`]
}

function runData({ options, events, virtualMs, struck, boots, hash, failure }: RunReport, again: string) {
  const { seed, oods, nodes, hours, faults, keys, store } = options
  const broken = failure && { invariant: failure.invariant, detail: failure.detail, virtualMs: failure.virtualMs }
  return {
    seed, hash, events, virtualMs, options: { oods, nodes, hours, faults, keys, store }, struck: struck.length, boots,
    again, ...(broken ? { failure: broken } : {}),
  }
}

function summaryLines(
  totals: Totals, { failed, lines, seconds }: { failed: number; lines: number; seconds: number },
): readonly string[] {
  const { cells, points, wires, runs, events, boots } = totals
  const texts = (counts: object): string => Object.entries(counts).map(([name, of]) => `${name} ${of}`).join(', ')
  const hit = Object.entries(points).filter(([, times]) => times > 0)
  return [
    '', 'How often each fault struck, by the step at which the boot stood (0: before the first)',
    ...coverageTable(cells), ...gapLines(totals), '',
    ...pairs([
      ['points hit', texts(Object.fromEntries(hit)) || 'none'], ['frames', texts(wires)], ['boots', String(boots)],
      ['events', `${events}, ${perSecond(lines, seconds)}`], ['time', `${seconds.toFixed(1)} s`],
      ['runs', `${runs}, ${failed} failed`],
    ]),
  ]
}
