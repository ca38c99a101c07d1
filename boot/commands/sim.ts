import { Option, type Command } from 'commander'
import { diagram } from '../diagram.ts'
import { layoutOf, pairs, stepRow, styleOf, tableHead, tableRow, type StepRow } from '../render.ts'
import { bootSequence } from '../sequences.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'

const keysOption = (): Option =>
  new Option('--keys <kind>', 'Ed25519, or a keyed hash in its place').choices(['real', 'cheap']).default('real')

interface SimOptions {
  readonly seed: number
  readonly keys: 'real' | 'cheap'
  readonly json?: true
  readonly diagram?: true
}

export function simCommand(terminal: Terminal): Command {
  return command(terminal, 'sim', {
    description: 'Boot a zone in the simulator: virtual time, and every port decided by the seed',
    examples: ['sim --seed 1', 'sim --seed 1 --json', 'sim --seed 7 --keys cheap'],
  })
    .option('--seed <number>', 'decides everything that is not decided otherwise', wholeNumber(0, 4_294_967_295), 1)
    .addOption(keysOption())
    .option('--diagram', 'print the steps as a mermaid sequence diagram')
    .action((options: SimOptions) => runSim(terminal, options))
}

async function runSim(terminal: Terminal, options: SimOptions): Promise<void> {
  const { simulateZone } = await import('../sim/zone.ts')
  const { seed, hash, events, virtualMs, steps } = await simulateZone({ seed: options.seed, keys: options.keys })
  const beganMs = steps[0]?.at ?? 0
  const rows = steps.map((event) => stepRow(event, beganMs)).filter((row): row is StepRow => row !== undefined)
  const drawn = diagram(`${bootSequence.title}, seed ${seed}`, rows)
  if (options.json) {
    terminal.out(JSON.stringify({ seed, hash, events, virtualMs, ...(options.diagram ? { diagram: drawn } : {}) }))
    return
  }
  const style = styleOf(terminal.colours)
  const layout = layoutOf(bootSequence, terminal.columns)
  for (const line of tableHead(layout, style)) terminal.out(line)
  for (const row of rows) for (const line of tableRow(row, layout, style)) terminal.out(line)
  terminal.out('')
  for (const line of pairs([
    ['seed', String(seed)], ['hash', hash], ['events', String(events)], ['virtual time', `${Math.round(virtualMs)} ms`],
  ])) terminal.out(line)
  if (options.diagram) for (const line of ['', drawn]) terminal.out(line)
}
