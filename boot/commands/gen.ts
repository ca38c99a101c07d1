import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createTrace } from '../../runtime/trace.ts'
import { diagram } from '../diagram.ts'
import { Usage } from '../errors.ts'
import { genPems, type GenPems } from '../etcd/gen-pems.ts'
import { initSequence } from '../sequences.ts'
import { layoutOf, stepRow, styleOf, tableHead, tableRow } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { readOwnerKey, sayTo } from './boot-zone.ts'
import { command, group } from './command.ts'
import { FOLDER_OPTION, readConfigured, type GivenFiles } from './given-files.ts'
import { pemsLines, pemsProgress, pemsSummary } from './pems-lines.ts'

interface GenPemsCommandOptions extends GivenFiles {
  readonly ownerKey?: string
  readonly renew?: true
  readonly json?: true
  readonly diagram?: true
}

export function genCommand(terminal: Terminal): Command {
  return group(terminal, 'gen', {
    description: 'Make what a zone on etcd needs before it starts',
    examples: ['gen pems --config config.yaml', 'gen certs --config config.yaml --renew'],
  }, [pemsCommand(terminal)])
}

function pemsCommand(terminal: Terminal): Command {
  return command(terminal, 'pems', {
    description: 'Make the certificates of a zone and of its etcd, by a vault that runs for this alone',
    examples: [
      'gen pems --config config.yaml', 'gen pems --config config.yaml --owner-key ./owner.key',
      'gen pems --config config.yaml --renew --json',
    ],
  })
    .alias('certs')
    .argument('[config]', 'the same as --config')
    .option('--config <file>', 'names etcd: xline_config and tls_config, as of rk8s; default: zone.yaml in the folder')
    .option('--dir <folder>', FOLDER_OPTION)
    .option('--owner-key <file>', 'signs for the anchor of the zone; default: owner.key in the folder')
    .option('--owner-passphrase-file <file>', 'its first line encrypts the owner key, or opens it')
    .option('--renew', 'make every certificate anew; without it only what is missing or past half of its life')
    .option('--diagram', 'print the steps as a mermaid sequence diagram')
    .action((config: string | undefined, options: GenPemsCommandOptions) =>
      runGenPems(terminal, withArgument(config, options)))
}

/** As rk8s has it: `gen certs config.yaml`. @throws Usage */
function withArgument(config: string | undefined, options: GenPemsCommandOptions): GenPemsCommandOptions {
  if (config === undefined) return options
  if (options.config === undefined || options.config === config) return { ...options, config }
  throw new Usage(`Which of the two is the config: ${config} or ${options.config}?`, { next: 'Give one' })
}

async function runGenPems(terminal: Terminal, options: GenPemsCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const platform = await openPlatform()
  const given = await readConfigured(terminal, options)
  const ownerKey = options.ownerKey === undefined ? undefined
    : await readOwnerKey(terminal, terminal.absolute(options.ownerKey))
  const trace = createTrace()
  const layout = layoutOf(initSequence, terminal.columns)
  const began = platform.clock.now()
  trace.on('step', (event) => {
    const row = event.sequence === initSequence.name ? stepRow(event, began) : undefined
    if (row) for (const line of tableRow(row, layout, style)) say(line)
  })
  const made = await genPems({
    ...given, platform, trace, renew: options.renew === true, ...(ownerKey === undefined ? {} : { ownerKey }),
    onProgress: (progress) => {
      for (const line of pemsProgress(progress, options, style)) say(line)
      if (progress.type === 'identity') for (const line of tableHead(layout, style)) say(line)
    },
  })
  const unrestricted = terminal.workersUnrestricted()
  if (unrestricted !== undefined) terminal.error(`note: ${unrestricted}`)
  tell(terminal, options, given.folder, made)
}

function tell(terminal: Terminal, options: GenPemsCommandOptions, folder: string, made: GenPems): void {
  const drawn = options.diagram ? diagram(`${initSequence.title}: ${made.config.zone}`, made.rows) : undefined
  if (options.json) {
    terminal.out(JSON.stringify({ ...pemsSummary(made), ...(drawn === undefined ? {} : { diagram: drawn }) }))
    return
  }
  if (drawn !== undefined) for (const line of ['', drawn]) terminal.out(line)
  for (const line of pemsLines(terminal, made, { folder, config: options.config })) terminal.out(line)
}
