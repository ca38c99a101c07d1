import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { memberNames, pems } from '../etcd/names.ts'
import { recoverEtcd, type Recovered } from '../etcd/recover.ts'
import { pairs, styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { sayTo } from './boot-zone.ts'
import { command, group } from './command.ts'
import { secretIn } from './files.ts'
import { FOLDER_OPTION, readConfigured, type GivenFiles } from './given-files.ts'
import { certificateLine, certificateSummary } from './pems-lines.ts'

interface RecoverEtcdOptions extends GivenFiles {
  readonly shares?: readonly string[]
  readonly renew?: true
  readonly json?: true
}

export function recoverCommand(terminal: Terminal): Command {
  return group(terminal, 'recover', {
    description: 'Bring back what a zone needs before it can start',
    examples: ['recover etcd --config config.yaml'],
  }, [etcdCommand(terminal)])
}

function etcdCommand(terminal: Terminal): Command {
  return command(terminal, 'etcd', {
    description: 'Make new certificates for etcd when those it has have ended, without etcd',
    examples: [
      'recover etcd --config config.yaml',
      'recover etcd --config config.yaml --shares share-1.txt share-3.txt share-4.txt',
    ],
  })
    .option('--config <file>', 'names etcd, as for gen pems; default: zone.yaml in the folder')
    .option('--dir <folder>', FOLDER_OPTION)
    .option('--shares <file...>', 'recovery shares, one a file, where unseal.key is lost')
    .option('--renew', 'also those that are good still')
    .action((options: RecoverEtcdOptions) => runRecoverEtcd(terminal, options))
}

async function runRecoverEtcd(terminal: Terminal, options: RecoverEtcdOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const platform = await openPlatform()
  const given = await readConfigured(terminal, options)
  const shares = options.shares && await Promise.all(options.shares.map((path) =>
    secretIn(terminal, path, 'recovery share')))
  const recovered = await recoverEtcd({
    ...given, platform, renew: options.renew === true, ...(shares === undefined ? {} : { shares }),
    onProgress: (progress) => say(certificateLine(progress, style)),
  })
  if (options.json) terminal.out(JSON.stringify(summary(recovered)))
  else for (const line of lines(terminal, options, recovered)) terminal.out(line)
}

function summary({ config, files, certificates, authorityRenewed }: Recovered) {
  return {
    zone: config.zone, folder: files.path('.'), pems: files.path(pems.folder), authorityRenewed,
    changed: certificates.some(({ held: { made } }) => made !== undefined),
    certificates: certificates.map((each) => certificateSummary(files, each)),
  }
}

function lines(
  terminal: Terminal, { config }: RecoverEtcdOptions, { files, certificates, authorityRenewed }: Recovered,
): readonly string[] {
  const style = styleOf(terminal.colours)
  const copied = certificates.filter(({ wanted: { member }, held: { made } }) =>
    member !== undefined && (made !== undefined || authorityRenewed))
  if (certificates.every(({ held: { made } }) => made === undefined) && !authorityRenewed) {
    return ['', `${style.good('nothing to do')}: every certificate is good for more than half of its life`]
  }
  const start = ['start', ...(config === undefined ? [] : ['--config', config])].join(' ')
  return [
    '', `${style.good('made')}, by the same CA of etcd; the vault takes them into its inventory when it starts`,
    ...(authorityRenewed ? ['The CA’s own certificate had come to its end: it has a new one, for the same key'] : []),
    '',
    ...(copied.length === 0 ? [] : [
      'Copy to each member of etcd cert.pem, private.key and ca.pem of its folder, and start it again:',
      ...pairs(copied.map(({ wanted: { member } }) => [member!.url, files.path(memberNames(member!).folder)])),
      '',
    ]),
    'Then:', `  ${terminal.invocation} ${start}`,
  ]
}
